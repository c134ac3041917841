"""Functions of lists over columns of lists, by dframe and by DuckDB.

    python3 tests/differential/lists.py --cases 1000 --seed 1 [--binary PATH] [--case N]

A case is a table with columns of lists (of any kind of list and item, nested, NULL, empty, long), five expressions and a way
to run them; rows are compared in order. The exit status is 1 if an answer differs.
"""

import argparse
import math
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from environment import ensure_packages

ensure_packages()

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from resample import random_ways  # noqa: E402
from run import default_binary  # noqa: E402

EXPRESSIONS = """
    len(i); len(j); len(n); i[1]; i[k]; j[-1]; s[2]; x[2]; list_first(s); list_last(s); list_any_value(i)
    list_sum(i); list_sum(j); list_sum(x); list_avg(i); list_count(s); list_min(f); list_max(f); list_min(s); list_max(d)
    list_contains(i, k); list_contains(i, 3); list_contains(j, k); list_contains(s, 'a'); list_contains(f, 'nan'::double)
    list_position(i, k); list_position(s, 'bc'); list_unique(i); list_unique(f); list_has_any(i, j); list_has_all(x, i)
    list_sort(i)::varchar; list_sort(i, 'desc', 'nulls first')::varchar; list_sort(s)::varchar; list_reverse(s)::varchar
    list_slice(i, 2, 3)::varchar; list_slice(i, -k, k)::varchar; i[2:]::varchar; s[:2]::varchar; len(n[1:2])
    list_sort(list_distinct(i))::varchar; list_sort(list_distinct(s))::varchar; flatten(n)::varchar; list_sum(n[1])
    list_concat(i, x)::varchar; list_concat(i, j)::varchar; (i || x)::varchar; (s || ['q'])::varchar; (i || NULL)::varchar
    list_append(i, k)::varchar; list_prepend(k, i)::varchar; list_value(k, row)::varchar; [[k], i]::varchar; [d[1]]::varchar
    array_to_string(i, ','); array_to_string(s, '-'); i::varchar; j::varchar; s::varchar; f::varchar; d::varchar; x::varchar
    n::varchar; i::double[]::varchar; list_sum(j::bigint[]); list_sum(try_cast(s as bigint[])); s::varchar[]::varchar
    coalesce(i, [7])::varchar; coalesce(s, [])::varchar; (case when k > 0 then i else x end)::varchar
    (case when k > 0 then i when k < 0 then [k] end)::varchar; length(s::varchar); list_aggregate(i, 'max')
"""


def random_lists(rng: random.Random, rows: int, item) -> list:
    """Lists of what `item` gives, some of them NULL, empty or long."""
    longest = rng.choice([2, 5, 40])
    nulls = rng.choice([0, 0.1, 0.1, 1])

    def one() -> list | None:
        if rng.random() < nulls:
            return None
        return [None if rng.random() < 0.1 else item() for _ in range(rng.choice([0, 1, 2, 3, longest]))]

    return [one() for _ in range(rows)]


def random_table(rng: random.Random) -> pa.Table:
    """A column of each kind of list."""
    rows = rng.choice([0, 1, 10, 300, 2000])
    numbers, texts = lambda: rng.randint(-5, 5), ["", "a", "bc", "é", "12", "a,b", "null", "it's", "x" * 30]
    floats = [0.0, -0.0, 1.5, math.nan, math.inf]
    triples = [None if rng.random() < 0.1 else [rng.randint(0, 3) for _ in range(3)] for _ in range(rows)]
    nested = random_lists(rng, rows, lambda: [numbers() for _ in range(rng.randint(0, 3))])
    columns = {
        "i": pa.array(random_lists(rng, rows, numbers), pa.list_(pa.int64())),
        "j": pa.array(random_lists(rng, rows, numbers), pa.large_list(pa.int32())),
        "s": pa.array(random_lists(rng, rows, lambda: rng.choice(texts)), pa.list_(pa.string())),
        "f": pa.array(random_lists(rng, rows, lambda: rng.choice(floats)), pa.list_(pa.float64())),
        "d": pa.array(random_lists(rng, rows, lambda: rng.randint(0, 20_000)), pa.list_(pa.date32())),
        "x": pa.array(triples, pa.list_(pa.int64(), 3)),
        "n": pa.array(nested, pa.list_(pa.list_(pa.int64()))),
        "k": pa.array([rng.choice([None, 0, 1, 2, -1, 5]) for _ in range(rows)], pa.int64()),
        "row": pa.array(range(rows), pa.int64()),
    }
    return pa.table(columns)


def equal(left, right) -> bool:
    """Equal, with NaN equal to NaN and floats to a few units of the last digit."""
    if isinstance(left, float) and isinstance(right, float):
        return (left != left and right != right) or math.isclose(left, right, rel_tol=1e-12)
    return left == right


def check(seed: int, index: int, binary: str, connection: duckdb.DuckDBPyConnection, folder: Path) -> str | None:
    """The first difference, if there is one."""
    rng = random.Random(f"{seed}-{index}")
    table = random_table(rng)
    expressions = [text.strip() for text in EXPRESSIONS.replace("\n", ";").split(";") if text.strip()]
    chosen = rng.sample(expressions, 5)
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "rows.parquet", row_group_size=rng.choice([7, 500, 5000]))
    listed = ", ".join(f"{expression} AS e{number}" for number, expression in enumerate(chosen))
    sql = f"SELECT {listed} FROM '{folder / 'rows.parquet'}' ORDER BY row"
    expected = connection.sql(sql).fetchall()
    args = [binary, "select", str(folder / "rows.parquet"), f"--columns={listed}", "--sort=row", "-q"]
    for way in random_ways(rng):
        output = folder / "out.parquet"
        run = subprocess.run([*args, *way, "-o", str(output)], capture_output=True, timeout=120, check=False)
        if run.returncode:
            return f"{' '.join(args + way)}\n{run.stderr.decode()}"
        found = pq.read_table(output)
        for number, expression in enumerate(chosen):
            values = found[f"e{number}"].to_pylist()
            wanted = [row[number] for row in expected]
            if len(values) != len(wanted):
                return f"{expression} {way}: {len(values)} rows, not {len(wanted)}"
            for row, (left, right) in enumerate(zip(values, wanted, strict=True)):
                if not equal(left, right):
                    return f"{expression} {way}: row {row} is {left!r}, not {right!r}: {table.slice(row, 1).to_pylist()}"
    return None


def main() -> int:
    """Runs the cases; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000, help="how many cases to run")
    parser.add_argument("--seed", type=int, default=1, help="which cases")
    parser.add_argument("--case", type=int, help="only the case of this number")
    parser.add_argument("--binary", type=Path, default=default_binary(), help="the dframe command")
    options = parser.parse_args()
    connection = duckdb.connect(config={"threads": 1})
    folder, failed = Path(tempfile.mkdtemp(prefix="dframe-lists-")), 0
    cases = [options.case] if options.case is not None else range(options.cases)
    for index in cases:
        problem = check(options.seed, index, str(options.binary), connection, folder / str(index))
        if problem:
            failed += 1
            print(f"--- case {index}\n{problem}\n", flush=True)
        else:
            shutil.rmtree(folder / str(index))
    print(f"seed {options.seed}: {len(cases)} cases, {failed} differ")
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Random window functions, by dframe and by DuckDB.

    python3 tests/differential/window.py --cases 1000 --seed 1 [--binary PATH] [--case N]

Every function, over zero to two partition keys, in orders of zero to two keys, with frames of ROWS, RANGE (numbers and
intervals) and GROUPS, over tables with NULLs, NaN, ties, and one partition that most rows are in. Where the answer depends
on the order of equal rows, DuckDB is told the order of the input, which dframe must keep by itself. The exit status is
1 if an answer differs.
"""

import datetime
import decimal
import math
import random
import sys
from dataclasses import dataclass
from pathlib import Path

from environment import ensure_packages

ensure_packages()

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402

import harness  # noqa: E402

ROWS = [1, 2, 17, 300, 300, 3000, 40_000]
AGGREGATES = ["sum", "avg", "min", "max", "count", "stddev", "var_pop"]
ORDERED = ["i", "f", "d", "ts", "t", "small"]
DISTANCES = {
    "i": lambda rng: str(rng.randrange(60)),
    "f": lambda rng: str(rng.randrange(60) / 4),
    "small": lambda rng: str(rng.randrange(4)),
    "d": lambda rng: f"interval {rng.choice(['3 days', '1 month', '2 weeks', '0 days', '1 year'])}",
    "ts": lambda rng: f"interval {rng.choice(['10 minutes', '7 hours', '1 day', '40 days', '0 seconds'])}",
}


@dataclass(frozen=True)
class Case:
    """A table, expressions for DuckDB, and the same for dframe."""

    table: pa.Table
    duck: list[str]
    ours: list[str]
    rng: random.Random

    def describe(self) -> str:
        """In a line."""
        return f"{self.table.num_rows} rows: {', '.join(self.ours)}"


def random_case(seed: int, index: int) -> Case:
    """The case of a number."""
    rng = random.Random(f"{seed}-{index}")
    table = random_table(rng, rng.choice(ROWS))
    calls = [random_call(rng, table.num_rows) for _ in range(rng.choice([1, 1, 2, 3, 5]))]
    return Case(table, [duck for duck, _ in calls], [ours for _, ours in calls], rng)


def random_table(rng: random.Random, rows: int) -> pa.Table:
    """Keys with many ties and skew; values whose sums are exact in any order."""
    nulls = rng.choice([0, 0.1, 0.5, 1.0 if rng.random() < 0.1 else 0.3])
    skew = rng.choice([0, 0, 0.9])
    distinct = rng.choice([1, 3, 20, 2000])

    def column(value, null_share=nulls):
        return [None if rng.random() < null_share else value() for _ in range(rows)]

    def key():
        return 0 if rng.random() < skew else rng.randrange(distinct)

    def number():
        special = rng.random() < 0.02 and specials
        return rng.choice([math.nan, math.inf, -math.inf]) if special else rng.choice([-0.0, rng.randrange(-400, 400) / 4])

    specials = rng.random() < 0.3
    epoch = datetime.datetime(2020, 1, 30)
    spread = rng.choice([3, 100, 100_000])
    return pa.table({
        "row": pa.array(range(rows), pa.int64()),
        "p": pa.array(column(key, 0.05), rng.choice([pa.int32(), pa.int64()])),
        "q": pa.array(column(lambda: rng.choice(["", "a", "bb", "long " * 20])), rng.choice([pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])),
        "i": pa.array(column(lambda: rng.randrange(spread)), rng.choice([pa.int64(), pa.int32()])),
        "small": pa.array(column(lambda: rng.randrange(-5, 6)), rng.choice([pa.int8(), pa.int16()])),
        "f": pa.array(column(number), rng.choice([pa.float64(), pa.float64(), pa.float32()])),
        "d": pa.array(column(lambda: (epoch + datetime.timedelta(days=rng.randrange(min(spread, 4000)))).date()), pa.date32()),
        "ts": pa.array(column(lambda: epoch + datetime.timedelta(seconds=rng.randrange(30 * spread))), pa.timestamp(rng.choice(["us", "ms"]))),
        "t": pa.array(column(lambda: f"text {rng.randrange(spread)}"), rng.choice([pa.string(), pa.string_view()])),
        "m": pa.array(column(lambda: decimal.Decimal(rng.randrange(-10_000, 10_000)) / 100), pa.decimal128(10, 2)),
        "b": pa.array(column(lambda: rng.random() < 0.5), pa.bool_()),
    })


def random_call(rng: random.Random, rows: int) -> tuple[str, str]:
    """A call as DuckDB is asked, and as dframe is."""
    partition = rng.choice([[], ["p"], ["p"], ["p", "q"], ["small % 2"]])
    keys = [random_key(rng) for _ in range(rng.choice([0, 1, 1, 1, 2]))]
    kind = rng.choice(["number", "rank", "shift", "pick", "aggregate", "aggregate", "aggregate"])
    if kind == "number":
        return both(rng.choice(["row_number()", f"ntile({rng.choice([1, 3, 7, 1000])})"]), partition, keys, "", True)
    if kind == "rank":
        keys = keys or [random_key(rng)]
        return both(rng.choice(["rank()", "dense_rank()", "percent_rank()", "cume_dist()"]), partition, keys, "", False)
    if kind == "shift":
        column, default = rng.choice([("i", "-1"), ("t", "'none'"), ("f", "0.5"), ("b", "true"), ("d", "date '2000-01-01'"), ("q", "''")])
        offset = rng.choice(["", ", 1", ", 2", f", {rng.choice([-2, 0, 5, 100, rows])}"])
        default = f", {default}" if offset and rng.random() < 0.3 else ""
        return both(f"{rng.choice(['lag', 'lead'])}({column}{offset}{default})", partition, keys, "", True)
    if kind == "pick":
        column = rng.choice(["i", "f", "t", "b", "d", "q"])
        function = rng.choice(["first_value", "last_value", "nth_value"])
        n = f", {rng.choice([1, 2, 5])}" if function == "nth_value" else ""
        nulls = rng.choice(["", " ignore nulls"])
        frame = random_frame(rng, ["rows"], keys, rows)
        # The default frame ends with the peers; where equal rows are told apart it must be written.
        frame = frame or "rows between unbounded preceding and current row"
        return both(f"{function}({column}{n}{nulls})", partition, keys, frame, True)
    function = rng.choice(AGGREGATES)
    argument = rng.choice({"min": ["i", "f", "t", "d", "m"], "max": ["small", "f", "t", "ts", "b"], "count": ["*", "t", "f"]}.get(function, ["i", "f", "small", "m"]))
    if function in ("stddev", "var_pop") and argument == "m":
        argument = "i"
    if function in ("stddev", "var_pop", "avg") and argument == "f":
        argument = "case when abs(f) < 1000 then f end"
    condition = rng.choice(["", "", "", " filter (where small > 0)"])
    frame = random_frame(rng, ["rows", "range", "groups"], keys, rows)
    return both(f"{function}({argument}){condition}", partition, keys, frame, frame.startswith("rows"))


def random_key(rng: random.Random) -> str:
    """A key to order by, with NULLs where DuckDB and dframe both put them."""
    return rng.choice(ORDERED) + rng.choice(["", " desc"]) + rng.choice([" nulls last", " nulls first"])


def random_frame(rng: random.Random, units: list[str], keys: list[str], rows: int) -> str:
    """A frame that the keys allow; none now and then."""
    if rng.random() < 0.25:
        return ""
    unit = rng.choice(units)
    if not keys and unit != "rows":
        return ""
    column = keys[0].split()[0] if keys else ""
    offsets = unit != "range" or (len(keys) == 1 and column in DISTANCES)

    def distance() -> str:
        if unit == "range":
            return DISTANCES[column](rng)
        return str(rng.choice([0, 1, 2, 3, 10, rng.choice([100, rows])]))

    start = rng.choice(["unbounded preceding", "preceding", "preceding", "current row", "following"] if offsets else ["unbounded preceding", "current row"])
    ends = {
        "unbounded preceding": ["preceding", "current row", "following", "unbounded following"],
        "preceding": ["preceding", "current row", "current row", "following", "unbounded following"],
        "current row": ["current row", "following", "unbounded following"],
        "following": ["following", "unbounded following"],
    }[start]
    end = rng.choice([end for end in ends if offsets or end not in ("preceding", "following")])
    bound = lambda name: f"{distance()} {name}" if name in ("preceding", "following") else name  # noqa: E731
    return f"{unit} between {bound(start)} and {bound(end)}"


def both(call: str, partition: list[str], keys: list[str], frame: str, by_row: bool) -> tuple[str, str]:
    """The call over its rows; DuckDB orders equal rows as the input has them."""
    def over(keys: list[str]) -> str:
        clauses = [f"partition by {', '.join(partition)}"] if partition else []
        clauses += [f"order by {', '.join(keys)}"] if keys else []
        return f"{call} over ({' '.join([*clauses, frame]).strip()})"

    return over([*keys, "row"] if by_row else keys), over(keys)


def check(case: Case, binary: str, folder: Path) -> str | None:
    """The difference, if there is one."""
    connection = duckdb.connect(config={"threads": 1})
    connection.register("input", case.table)
    named = lambda calls: ", ".join(f"{call} as c{number}" for number, call in enumerate(calls))  # noqa: E731
    query = f"select row, {named(case.duck)} from input order by row"
    expected = harness.rows_of(connection.sql(query).to_arrow_table())
    source = harness.input_args(case.rng, case.table, folder / "input", case.rng.choice([1, 2, 9]))
    args = ["select", *source, f"--columns=row, {named(case.ours)}"]
    for way in (harness.random_way(case.rng) for _ in range(2)):
        found = sorted(harness.rows_of(harness.run_dframe(binary, args, way, folder / "out.parquet")))
        for wanted, got in zip(expected, found, strict=False):
            if not all(map(same, wanted, got)):
                return f"{case.describe()} {way}\nexpected {wanted}\nfound    {got}"
        if len(expected) != len(found):
            return f"{case.describe()} {way}\n{len(expected)} rows expected, {len(found)} found"
    return None


def same(wanted, got) -> bool:
    """Equal, but for the last digits of floats that DuckDB rounds more than once."""
    if isinstance(wanted, float) and isinstance(got, float):
        return math.isclose(wanted, got, rel_tol=1e-9, abs_tol=1e-9)
    return wanted == got


if __name__ == "__main__":
    sys.exit(harness.main(__doc__.splitlines()[0], random_case, check))

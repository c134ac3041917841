"""Random queries over tables that do not fit, by dframe and by DuckDB.

    python3 tests/differential/large.py --cases 200 --seed 1 [--binary PATH] [--case N]

The same SQL for both, over one to three million rows that DuckDB makes: groups that tasks share, groups as many as rows, one key
that most rows have, joins that spill and recurse, runs that are merged more than once, one partition that is larger than
memory. DuckDB compares the rows as well. Kinds take turns; the exit status is 1 if an answer differs.
"""

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from environment import ensure_packages

ensure_packages()

import duckdb  # noqa: E402

import harness  # noqa: E402

KEYS = ["k", "k", "ks", "kl", "kd", "kf", "small", "c"]
EXACT = ["count(*)", "count(v)", "cast(sum(v) as bigint)", "min(v)", "max(x)", "sum(x)", "min(kl)", "max(ks)", "avg(v)", "max(row)",
         "count(distinct small)", "cast(sum(v) filter (small > 3) as bigint)", "min(kd)", "bool_or(v > 100)"]
HOLISTIC = ["median(v)", "quantile_disc(x, 0.9)", "quantile_cont(v, [0.1, 0.5])", "count(distinct k)", "count(distinct ks)", "arg_max(row, row)",
            "list(v order by row)", "first(kl order by row desc)", "count(distinct v)", "max(v, 3)", "median(x)"]
WINDOWS = ["row_number()", "lag(v)", "lead(x, 2)", "cast(sum(v) {} as bigint)", "min(x) {}", "count(ks) {}", "first_value(kl) {}", "max(v) {}", "rank()", "ntile(7)"]
FRAMES = ["", "rows between 3 preceding and current row", "rows between unbounded preceding and 1 following",
          "rows between 100 preceding and 100 following", "rows between unbounded preceding and unbounded following"]
LIMITS = ["24MiB", "32MiB", "48MiB", "64MiB", "128MiB", None]


@dataclass(frozen=True)
class Table:
    """A table as DuckDB makes it: so many rows and different keys, and the share of rows of one key."""

    rows: int
    keys: int
    skew: float
    nulls: float
    order: str
    files: int
    group: int
    codec: str
    seed: int

    def sql(self) -> str:
        """Its rows."""
        number = f"hash(i * 2 + {self.seed})"
        share = "((hash(i + 77) % 1000) / 1000.0)"
        key = f"(case when {share} < {self.skew} then 5 else {number} % {self.keys} end)::bigint"
        null = f"((hash(i + 99) % 1000) / 1000.0) < {self.nulls}"
        return f"""
            select i as row, nullif(k, 7) as k, case when k % 11 <> 3 then 's' || (k % 99991) end as ks,
                'a rather long common start of every text/' || k as kl, date '2000-01-01' + (k % 20000)::integer as kd,
                case when k % 1000 = 1 then 'nan'::double when k % 1000 = 2 then -0.0 when k % 1000 = 3 then 0.0 else k / 4.0 end as kf,
                (k % 23)::integer as small, ['red', 'green', 'blue', '', null][1 + k % 5] as c,
                case when not {null} then ({number} % 100003)::bigint - 50000 end as v,
                case when not {null} then ((hash(i + 3) % 4001)::bigint - 2000) / 4.0 end as x,
                timestamp '2024-01-01' + to_microseconds((hash(i + 5) % 100000000000)::bigint) as ts
            from (select i, {key} as k from range({self.rows}) as r(i)) {self.order}"""


@dataclass(frozen=True)
class Case:
    """Two tables, the query over them, and ways to run it."""

    tables: dict[str, Table]
    ours: str
    theirs: str
    ordered: bool
    ways: list[list[str]]

    def describe(self) -> str:
        """The query and its tables."""
        return "\n".join([self.ours, *(f"{name}: {table}" for name, table in self.tables.items())])


def random_case(seed: int, index: int) -> Case:
    """The case of a number; kinds take turns."""
    rng = random.Random(f"large {seed} {index}")
    kind = [groups, distinct, joined, ordered, windowed, holistic][index % 6]
    tables = {"a": random_table(rng), "b": random_table(rng)}
    ours, theirs, in_order = kind(rng, tables)
    return Case(tables, ours, theirs, in_order, [random_way(rng) for _ in range(2)])


def random_table(rng: random.Random) -> Table:
    """Of any shape."""
    rows = rng.choice([700_000, 1_000_000, 1_500_000, 3_000_000])
    keys = rng.choice([30, 20_000, rows // 6, rows // 5, rows // 5, rows // 2, rows * 4])
    order = rng.choice(["", "", "order by k, i", "order by ts, i"])
    return Table(rows, keys, rng.choice([0, 0, 0, 0.3, 0.9]), rng.choice([0, 0.1, 0.9]), order, rng.choice([1, 1, 2, 5]),
                 rng.choice([4096, 20_480, 122_880, 1_000_000]), rng.choice(["snappy", "zstd", "uncompressed"]), rng.randrange(10**6))


def random_way(rng: random.Random) -> list[str]:
    """Arguments that may not change the answer."""
    limit = rng.choice(LIMITS)
    args = ["--threads", rng.choice(["1", "2", "2", "8"])] + (["--memory-limit", limit] if limit else [])
    return args + rng.choice([[], [], [], ["--no-optimizer"]])


def keys_of(rng: random.Random) -> list[str]:
    """One to three columns."""
    return rng.sample(sorted(set(KEYS)), k=2 if rng.random() < 0.3 else 3) if rng.random() < 0.4 else [rng.choice(KEYS)]


def groups(rng: random.Random, _tables: dict[str, Table]) -> tuple[str, str, bool]:
    """Aggregates by keys."""
    keys = keys_of(rng)
    calls = [f"{call} as a{n}" for n, call in enumerate(rng.sample(EXACT, k=rng.choice([1, 2, 4])))]
    where = rng.choice(["", "", " where small <> 4", " where v > 0"])
    having = rng.choice(["", "", "", " having count(*) > 2"])
    text = f"select {', '.join([*keys, *calls])} from a{where} group by {', '.join(keys)}{having}"
    return text, text, False


def distinct(rng: random.Random, _tables: dict[str, Table]) -> tuple[str, str, bool]:
    """Different rows, of columns or of all of two queries."""
    columns = ", ".join(keys_of(rng))
    text = f"select distinct {columns} from a"
    if rng.random() < 0.3:
        text = f"select {columns} from a {rng.choice(['union', 'except', 'intersect'])} select {columns} from b"
    return text, text, False


def joined(rng: random.Random, tables: dict[str, Table]) -> tuple[str, str, bool]:
    """Pairs counted, or rows of one side."""
    keys = rng.choice([["k"], ["k"], ["kl"], ["k", "c"], ["ks", "kd"], ["kd", "kl", "small"]])
    if max(table.rows // table.keys for table in tables.values()) > 20 or min(table.skew for table in tables.values()) > 0:
        keys = ["row"]
    on = " and ".join(f"a.{key} = b.{key}" for key in keys)
    kind = rng.choice(["join", "left join", "right join", "full join", "semi join", "anti join"])
    if kind in ("semi join", "anti join"):
        text = f"select a.row, a.kl from a {kind} b on {on}"
    elif rng.random() < 0.5:
        text = f"select count(*) as n, count(a.row) as l, count(b.row) as r, cast(sum(a.v) as bigint) as v, sum(b.x) as x from a {kind} b on {on}"
    else:
        text = f"select a.row, b.row as other, a.kl, b.v from a {kind} b on {on} and a.small < 3"
    return text, text, False


def ordered(rng: random.Random, _tables: dict[str, Table]) -> tuple[str, str, bool]:
    """Rows in an order, or the first of them."""
    keys = [f"{key}{rng.choice(['', ' desc'])} nulls {rng.choice(['first', 'last'])}" for key in rng.sample([*KEYS[1:], "v", "x", "ts"], k=rng.choice([1, 1, 2, 3]))]
    columns = rng.choice(["*", "row, ks, v", "*, kl as again"])
    limit = rng.choice(["", "", " limit 10", " limit 100000 offset 5000", " limit 1000"])
    return (f"select {columns} from a order by {', '.join(keys)}{limit}",
            f"select {columns} from a order by {', '.join([*keys, 'rowid'])}{limit}", True)


def windowed(rng: random.Random, tables: dict[str, Table]) -> tuple[str, str, bool]:
    """Functions over partitions of one row, of some, of most rows."""
    partition = rng.choice(["", "partition by k", "partition by kl", "partition by small", "partition by c, kd"])
    order = f"order by {rng.choice(['ts', 'v desc', 'kl', 'x'])}, row"
    calls = []
    for n, call in enumerate(rng.sample(WINDOWS, k=rng.choice([1, 2, 3]))):
        frame = rng.choice(FRAMES) if "{}" in call else ""
        over = f"over ({partition} {order} {frame})"
        calls.append(f"{call.format(over) if '{}' in call else f'{call} {over}'} as w{n}")
    text = f"select row, {', '.join(calls)} from a"
    return text, text, False


def holistic(rng: random.Random, _tables: dict[str, Table]) -> tuple[str, str, bool]:
    """Aggregates that need all values."""
    keys = rng.choice([[], ["small"], ["c"], ["k"], ["kl"], ["kd", "c"]])
    calls = [f"{call} as a{n}" for n, call in enumerate(rng.sample(HOLISTIC, k=rng.choice([1, 1, 2, 3])))]
    by = f" group by {', '.join(keys)}" if keys else ""
    text = f"select {', '.join([*keys, *calls])} from a{by}"
    return text, text, False


def check(case: Case, binary: str, place: Path) -> str | None:
    """What differs, if anything."""
    place.mkdir(parents=True)
    connection = duckdb.connect(str(place / "duck.db"), config={"threads": 1, "memory_limit": "3GB"})
    query = case.ours
    for name, table in case.tables.items():
        if f"from {name}" in query or f"join {name} " in query:
            connection.execute(f"create table {name} as {table.sql()}")
            folder = written(connection, name, table, place / name)
            query = query.replace(f"from {name}", f"from '{folder}' as {name}").replace(f"join {name} ", f"join '{folder}' as {name} ")
    connection.execute(f"create table expected as {case.theirs}")
    place_of = ("rowid", "file_row_number") if case.ordered else ("0", "0")
    for number, way in enumerate(case.ways):
        output = place / f"{number}.parquet"
        try:
            harness.run_into(binary, ["sql", query], way, output)
        except (ValueError, subprocess.TimeoutExpired) as error:
            return f"{case.describe()}\n{way}\n{error}"
        problem = differing(connection, output, *place_of)
        output.unlink()
        if problem:
            return f"{case.describe()}\n{way}\n{problem}"
    return None


def written(connection: duckdb.DuckDBPyConnection, name: str, table: Table, folder: Path) -> Path:
    """The table as files."""
    folder.mkdir()
    for index in range(table.files):
        start, end = (table.rows * n // table.files for n in (index, index + 1))
        rows = f"select * from {name} where rowid >= {start} and rowid < {end} order by rowid"
        options = f"row_group_size {table.group}, compression {table.codec}"
        connection.execute(f"copy ({rows}) to '{folder}/{index:05}.parquet' ({options})")
    return folder


def differing(connection: duckdb.DuckDBPyConnection, output: Path, their_place: str, our_place: str) -> str | None:
    """The first rows that only one has."""
    expected = f"select {their_place} as place, * from expected"
    numbered = f"from read_parquet('{output}', file_row_number = true)"
    found = f"select {our_place} as place, * exclude (file_row_number) {numbered}"
    missing = connection.sql(f"{expected} except all {found}").limit(3).fetchall()
    more = connection.sql(f"{found} except all {expected}").limit(3).fetchall()
    return f"missing: {missing}\ntoo many: {more}" if missing or more else None


if __name__ == "__main__":
    sys.exit(harness.main(__doc__.splitlines()[0], random_case, check))

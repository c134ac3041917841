"""Random windows of time, by dframe's `resample`, by DuckDB and by Polars.

    python3 tests/differential/resample.py --cases 1000 --seed 1 [--binary PATH] [--case N]

DuckDB is told what windows are: a row is joined with every start that `time_bucket` gives, less 0, 1, 2 .. steps, and
kept where it lies between the ends. Polars answers with `group_by_dynamic`, where it is installed and has such windows:
its own are counted from 1970, so that it is only asked where both origins agree; and they begin with the one that the first
row of a group begins in, so that earlier ones, which overlap it, are left out. The exit status is 1 if an answer differs.
"""

import argparse
import collections
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from environment import ensure_packages

ensure_packages()

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

import harness  # noqa: E402
from run import default_binary  # noqa: E402

try:
    import polars
except ImportError:
    polars = None

MICROS = {"us": 1, "ms": 1_000, "s": 10**6, "m": 60 * 10**6, "h": 3_600 * 10**6, "d": 86_400 * 10**6}
MICROS["w"] = 7 * MICROS["d"]
MONTHS = {"mo": 1, "q": 3, "y": 12}
ORIGIN = 10_959 * MICROS["d"]
"""Monday, 2000-01-03."""
ZONES = ["UTC", "Asia/Kolkata"]


@dataclass(frozen=True)
class Length:
    """A length of time as text: a number and a unit."""

    count: int
    unit: str

    @property
    def text(self) -> str:
        """As dframe and Polars write it."""
        return f"{self.count}{self.unit}"

    @property
    def months(self) -> int:
        """In months; 0 for what is counted in days and less."""
        return self.count * MONTHS.get(self.unit, 0)

    @property
    def micros(self) -> int:
        """In microseconds; 0 for months."""
        return self.count * MICROS.get(self.unit, 0)

    @property
    def sql(self) -> str:
        """As an interval of DuckDB."""
        if self.months:
            return f"INTERVAL ({self.months}) MONTH"
        return f"INTERVAL ({self.micros}) MICROSECOND"

    def least_micros(self) -> int:
        """At least as long as this."""
        return self.months * 28 * MICROS["d"] + self.micros

    def most_micros(self) -> int:
        """At most as long as this."""
        return self.months * 31 * MICROS["d"] + self.micros


@dataclass(frozen=True)
class Case:
    """Windows over a table, and a way to compute them."""

    table: pa.Table
    files: int
    every: Length
    period: Length
    offset: Length
    closed: str
    label: str
    by: bool
    where: bool
    ways: list[list[str]]
    seed: str

    @property
    def zone(self) -> str | None:
        """The zone of the instants."""
        data_type = self.table.schema.field("ts").type
        return data_type.tz if pa.types.is_timestamp(data_type) else None

    @property
    def is_date(self) -> bool:
        """Whether the instants are dates."""
        return pa.types.is_date(self.table.schema.field("ts").type)

    def describe(self) -> str:
        """In a line."""
        lengths = f"every={self.every.text} period={self.period.text} offset={self.offset.text}"
        shape = f"closed={self.closed} label={self.label} by={self.by} where={self.where}"
        return f"{self.table.schema.field('ts').type} x {self.table.num_rows} in {self.files}: {lengths} {shape}"


def random_case(seed: int, index: int) -> Case:
    """The case of a number."""
    rng = random.Random(f"{seed}-{index}")
    kind = rng.choices(["us", "ns", "ms", "s", "date", "zone"], [5, 2, 1, 1, 2, 2])[0]
    every = random_length(rng, kind)
    period = every if rng.random() < 0.5 else random_period(rng, every, kind)
    offset = Length(0, "d")
    if rng.random() < 0.3:
        offset = Length(rng.choice([-3, -1, 1, 2, 5]), "d" if kind == "date" else rng.choice(["d", "h", "m"]))
    rows = rng.choice([0, 1, 5, 100, 1000, 3000])
    table = random_table(rng, kind, every, rows)
    closed = rng.choices(["left", "right", "both", "none"], [5, 3, 1, 1])[0]
    label = rng.choice(["left", "left", "right"])
    files = rng.choice([1, 1, 2, 5])
    return Case(
        table, files, every, period, offset, closed, label, rng.random() < 0.6, rng.random() < 0.2, random_ways(rng),
        f"{seed} {index}",
    )


def random_length(rng: random.Random, kind: str) -> Length:
    """How often windows begin."""
    if kind == "date":
        return rng.choice([Length(rng.choice([1, 2, 7, 10]), "d"), Length(1, "w"), Length(1, "mo"), Length(1, "q")])
    unit = rng.choice(["s", "m", "h", "d", "w", "mo", "q", "y"])
    return Length(rng.choice([1, 1, 2, 3, 5, 7, 15, 90]) if unit in "smhd" else rng.choice([1, 1, 2]), unit)


def random_period(rng: random.Random, every: Length, kind: str) -> Length:
    """How long windows are: multiples of the step, or anything."""
    if rng.random() < 0.6:
        return Length(every.count * rng.choice([2, 3, 4, 10]), every.unit)
    length = Length(rng.choice([1, 2, 3, 7]), every.unit)
    if kind != "date" and every.unit not in MONTHS and rng.random() < 0.5:
        finer = {"s": "ms", "m": "s", "h": "m", "d": "h", "w": "d"}[every.unit]
        length = Length(rng.choice([1, 5, 20, 45]), finer)
    return length


def random_table(rng: random.Random, kind: str, every: Length, rows: int) -> pa.Table:
    """Instants about some thirty windows, many of them at their ends."""
    center = rng.choice([0, ORIGIN, 1_700_000_000 * 10**6, -1_000_000 * 10**6])
    span = 30 * max(every.least_micros(), 1)
    shift = rng.choice([0, 0, 1, MICROS["h"] // 2])

    def instant() -> int | None:
        if rng.random() < 0.05:
            return None
        at = center + rng.randint(-span, span)
        if rng.random() < 0.4 and every.micros:
            at = (at - ORIGIN) // every.micros * every.micros + ORIGIN + rng.choice([0, 0, -1, 1, shift])
        return at

    instants = [instant() for _ in range(rows)]
    if rng.random() < 0.4:
        instants.sort(key=lambda at: (at is None, at))
    keys = rng.choice([["a", "b"], ["one"] * 9 + ["rare", None], [f"key{n}" for n in range(40)]])
    columns = {
        "ts": instants_of(rng, kind, instants),
        "k": pa.array([rng.choice(keys) for _ in range(rows)], pa.string()),
        "v": pa.array([rng.choice([None, *range(-5, 100)]) for _ in range(rows)], pa.int64()),
        "x": pa.array([rng.choice([None, 0.25, -1.5, 8.0]) for _ in range(rows)], pa.float64()),
        "row": pa.array(range(rows), pa.int64()),
    }
    return pa.table(columns)


def instants_of(rng: random.Random, kind: str, micros: list[int | None]) -> pa.Array:
    """A column of the kind."""

    def scaled(up: int, down: int) -> list[int | None]:
        return [None if at is None else at * up // down for at in micros]

    match kind:
        case "date":
            return pa.array(scaled(1, MICROS["d"]), pa.int32()).cast(pa.date32())
        case "ns":
            return pa.array(scaled(1_000, 1), pa.timestamp("ns"))
        case "ms":
            return pa.array(scaled(1, 1_000), pa.timestamp("ms"))
        case "s":
            return pa.array(scaled(1, 10**6), pa.timestamp("s"))
        case "zone":
            return pa.array(micros, pa.timestamp("us", rng.choice(ZONES)))
        case _:
            return pa.array(micros, pa.timestamp("us"))


def random_ways(rng: random.Random) -> list[list[str]]:
    """Two ways to run the command."""

    def way() -> list[str]:
        threads = rng.choice(["sync", "1", "2", "8"])
        args = ["--executor", "sync"] if threads == "sync" else ["--threads", threads]
        args += rng.choice([[], ["--memory-limit", "16MiB"], ["--memory-limit", "24MiB"]])
        return args + rng.choice([[], [], ["--no-optimizer"]])

    return [way(), way()]


AGGREGATES = (
    "count(*) as n, sum(v) as s, min(x) as low, max(x) as high, mean(x) as mean, first(row) as first, last(row) as last"
)
COLUMNS = ["n", "s", "low", "high", "mean", "first", "last"]


def of_dframe(case: Case, way: list[str], binary: str, source: list[str], output: Path) -> list[tuple]:
    """The rows of the command."""
    args = [binary, "resample", *source, "--time=ts", f"--every={case.every.text}", f"--agg={AGGREGATES}"]
    args += [f"--period={case.period.text}", f"--offset={case.offset.text}", f"--closed={case.closed}"]
    args += [f"--label={case.label}", *(["--by=k"] if case.by else []), *(["--where=row % 3 <> 1"] if case.where else [])]
    run = subprocess.run([*args, *way, "-q", "-o", str(output)], capture_output=True, timeout=120, check=False)
    if run.returncode:
        raise ValueError(f"{' '.join(args + way)}\n{run.stderr.decode()}")
    return rows_of(case, pq.read_table(output))


def rows_of(case: Case, table: pa.Table) -> list[tuple]:
    """Rows that can be compared: instants are nanoseconds."""
    names = [*(["k"] if case.by else []), "ts", *COLUMNS]
    columns = [nanoseconds(table["ts"]) if name == "ts" else table[name].to_pylist() for name in names]
    return sorted(zip(*columns, strict=True), key=repr)


def nanoseconds(column: pa.ChunkedArray) -> list[int | None]:
    """Instants or dates since 1970."""
    if pa.types.is_date(column.type):
        return [None if day is None else day * 1_000 * MICROS["d"] for day in column.cast(pa.int32()).to_pylist()]
    factor = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[column.type.unit]
    return [None if at is None else at * factor for at in column.cast(pa.int64()).to_pylist()]


def of_duckdb(case: Case, connection: duckdb.DuckDBPyConnection) -> list[tuple]:
    """The rows by a join of instants with starts."""
    connection.register("rows", case.table)
    instant = "ts::TIMESTAMP_NS" if case.table.schema.field("ts").type == pa.timestamp("ns") else "ts::TIMESTAMP"
    if case.zone:
        instant = f"timezone('{case.zone}', ts)"
    copies = -(-case.period.most_micros() // case.every.least_micros()) + 1
    # Nanoseconds are cut off before a bucket is taken, which moves no instant across a start.
    bucket = f"time_bucket({case.every.sql}, date_trunc('microsecond', local)::TIMESTAMP, {case.offset.sql})"
    if case.every.months:
        step = f"to_months((j * {case.every.months})::INTEGER)"
    else:
        step = f"to_microseconds(j * {case.every.micros})"
    base = f"({bucket} - {case.offset.sql} - {step})"
    low, high = {"left": (">=", "<"), "right": (">", "<="), "both": (">=", "<="), "none": (">", "<")}[case.closed]
    start, end = f"(base + {case.offset.sql})", f"(base + {case.period.sql} + {case.offset.sql})"
    label = start if case.label == "left" else end
    if case.is_date:
        label = f"({label})::DATE"
    if case.zone:
        label = f"timezone('{case.zone}', {label})"
    key = "k, " if case.by else ""
    sql = f"""
        WITH l AS (SELECT *, {instant} AS local FROM rows WHERE ts IS NOT NULL {"AND row % 3 <> 1" if case.where else ""}),
        w AS (SELECT *, {base} AS base FROM l, range({copies + 1}) AS r(j)),
        i AS (SELECT *, {label} AS label FROM w WHERE local {low} {start} AND local {high} {end})
        SELECT {key}label AS ts, count(*) AS n, sum(v)::BIGINT AS s, min(x) AS low, max(x) AS high, avg(x) AS mean,
            min(row) AS first, max(row) AS last
        FROM i GROUP BY ALL"""
    return rows_of(case, connection.sql(sql).to_arrow_table())


def of_polars(case: Case) -> list[tuple] | None:
    """The rows of `group_by_dynamic`; None where its windows are others."""
    same_origin = not case.every.micros or ORIGIN % case.every.micros == 0
    if polars is None or not same_origin or case.zone or case.closed == "none":
        return None
    if case.every.months and (12 % case.every.months or case.offset.count or case.period.micros):
        return None
    frame = polars.from_arrow(case.table).filter(polars.col("ts").is_not_null())
    frame = frame.filter(polars.col("row") % 3 != 1) if case.where else frame
    frame = frame.sort("ts", maintain_order=True)
    row = polars.col("row")
    grouped = frame.group_by_dynamic(
        "ts",
        every=case.every.text,
        period=case.period.text,
        offset=case.offset.text,
        closed=case.closed,
        label=case.label,
        group_by="k" if case.by else None,
    ).agg(
        n=polars.len(),
        s=polars.when(polars.col("v").count() > 0).then(polars.col("v").sum()),
        low=polars.col("x").min(),
        high=polars.col("x").max(),
        mean=polars.col("x").mean(),
        first=row.min(),
        last=row.max(),
    )
    return rows_of(case, grouped.to_arrow())


def without_earlier(case: Case, rows: list[tuple], others: list[tuple]) -> list[tuple]:
    """The rows without windows before the first that `others` have of the same group."""
    place = 1 if case.by else 0
    first = {}
    for row in others:
        first[row[:place]] = min(row[place], first.get(row[:place], row[place]))
    return [row for row in rows if row[place] >= first.get(row[:place], row[place])]


def difference(expected: list[tuple], found: list[tuple]) -> str | None:
    """The first rows that only one has."""
    if expected == found:
        return None
    missing = list((collections.Counter(expected) - collections.Counter(found)).elements())
    more = list((collections.Counter(found) - collections.Counter(expected)).elements())
    return f"{len(missing)} rows are missing: {missing[:3]}\n{len(more)} are too many: {more[:3]}"


def check(case: Case, binary: str, connection: duckdb.DuckDBPyConnection, folder: Path) -> tuple[str, str | None]:
    """What it was compared with, and the difference, if there is one."""
    source = harness.input_args(random.Random(case.seed), case.table, folder / "in", case.files)
    expected = of_duckdb(case, connection)
    for way in case.ways:
        problem = difference(expected, of_dframe(case, way, binary, source, folder / "out.parquet"))
        if problem:
            return "duckdb", f"{case.describe()} {way}\n{problem}"
    others = of_polars(case)
    if others is None:
        return "duckdb", None
    problem = difference(others, without_earlier(case, expected, others))
    return "duckdb and polars", f"polars: {case.describe()}\n{problem}" if problem else None


def main() -> int:
    """Runs the cases; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000, help="how many cases to run")
    parser.add_argument("--seed", type=int, default=1, help="which cases")
    parser.add_argument("--case", type=int, help="only the case of this number")
    parser.add_argument("--binary", type=Path, default=default_binary(), help="the dframe command")
    options = parser.parse_args()
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    counts, failed = collections.Counter(), 0
    folder = Path(tempfile.mkdtemp(prefix="dframe-resample-"))
    for index in [options.case] if options.case is not None else range(options.cases):
        with_whom, problem = check(random_case(options.seed, index), str(options.binary), connection, folder / str(index))
        counts[with_whom] += 1
        if problem:
            failed += 1
            print(f"--- case {index}\n{problem}\n", flush=True)
        else:
            shutil.rmtree(folder / str(index))
    print(f"seed {options.seed}: {sum(counts.values())} cases, {failed} differ")
    for name, count in counts.items():
        print(f"  {count:6} with {name}")
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

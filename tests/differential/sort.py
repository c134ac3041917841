"""Random sorts and first rows of an order, by dframe and by DuckDB.

    python3 tests/differential/sort.py --cases 1000 --seed 1 [--binary PATH] [--case N]

One to four keys of any type, up or down, NULLs first or last, with and without a limit and an offset, over rows that
come in any order, in the keys' order, or the other way round, cut into files. dframe keeps the order of equal rows,
so DuckDB sorts by the row's number last, and the answers are the same sequence. The exit status is 1 if one differs.
"""

import datetime
import decimal
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environment import ensure_packages

ensure_packages()

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402

import harness  # noqa: E402

EPOCH = datetime.datetime(1970, 1, 1)
INTEGERS = {"int8": pa.int8(), "int32": pa.int32(), "int64": pa.int64(), "uint16": pa.uint16(), "uint64": pa.uint64()}
TYPES = {
    **INTEGERS,
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "coded": pa.dictionary(pa.int32(), pa.string()),
    "binary": pa.binary(),
    "date": pa.date32(),
    "instant": pa.timestamp("us"),
    "decimal": pa.decimal128(9, 2),
    "wide": pa.decimal128(38, 0),
    "list": pa.list_(pa.int64()),
}
LIMITS = {"int8": (-128, 127), "int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1), "uint16": (0, 2**16 - 1)}
LIMITS["uint64"] = (0, 2**64 - 1)
COMMON_START = "https://example.com/a/rather/long/common/start/"


@dataclass(frozen=True)
class Case:
    """A table, and the order of its rows."""

    table: pa.Table
    keys: list[str]
    limit: int | None
    offset: int
    files: int
    rng: random.Random

    def describe(self) -> str:
        """In a line."""
        types = {name: str(self.table.schema.field(name).type) for name in self.table.column_names}
        return f"{self.table.num_rows} rows by {self.keys} limit {self.limit} offset {self.offset}, {types}"


def random_case(seed: int, index: int) -> Case:
    """The case of a number; every second one has a limit."""
    rng = random.Random(f"{seed}-{index}")
    rows = rng.choice([0, 1, 5, 300, 5000, 40_000, 150_000])
    count = rng.choice([1, 1, 2, 2, 3, 4])
    names = [rng.choice(list(TYPES)) for _ in range(count)]
    columns = {f"k{place}": key_column(rng, name, rows) for place, name in enumerate(names)}
    columns["payload"] = pa.array([rng.choice([None, "", "x" * rng.randrange(30), "long" * 50]) for _ in range(rows)])
    table = pa.table(columns)
    if names[0] != "list" and rng.random() < 0.4:
        order = table.column("k0").cast(pa.string()) if names[0] == "coded" else table.column("k0")
        table = table.take(pa.compute.sort_indices(order)[:: rng.choice([1, -1])])
    table = table.append_column("row", pa.array(range(rows), pa.int64()))
    keys = [f"k{place}{random_direction(rng)}" for place in range(count)]
    limit = rng.choice([0, 1, 10, 1000, 50_000]) if index % 2 else None
    offset = rng.choice([0, 0, 3, 2000]) if limit is not None else 0
    return Case(table, keys, limit, offset, rng.choice([1, 3, 12]), rng)


def random_direction(rng: random.Random) -> str:
    """What stands behind a key."""
    return rng.choice(["", "", " asc", " desc", " desc"]) + rng.choice(["", "", " nulls first", " nulls last"])


def key_column(rng: random.Random, name: str, rows: int) -> pa.Array:
    """Values of few or many kinds, some NULL, at times all or most of them the same."""
    kinds = rng.choice([1, 4, 100, 10**6])
    pool = [random_value(rng, name, kinds) for _ in range(min(rows, kinds, 5000))]
    nulls = rng.choice([0, 0, 0.1, 0.9, 1])
    skew = rng.choice([0, 0, 0.9])

    def value() -> Any:
        if rng.random() < nulls:
            return None
        return pool[0] if rng.random() < skew else rng.choice(pool)

    return pa.array([value() for _ in range(rows)], TYPES[name])


def random_value(rng: random.Random, name: str, kinds: int) -> Any:
    """A value of a type, out of about so many."""
    number = rng.randrange(-kinds, kinds)
    if name in LIMITS:
        low, high = LIMITS[name]
        return rng.choice([low, high, 0]) if rng.random() < 0.1 else max(low, min(high, number))
    if name.startswith("float"):
        return rng.choice([float("nan"), float("inf"), float("-inf"), -0.0, 0.0]) if rng.random() < 0.2 else number / 4
    if name == "bool":
        return rng.random() < 0.5
    if name in ("text", "coded", "binary"):
        start = rng.choice(["", "é", COMMON_START, COMMON_START, COMMON_START])
        text = start + str(abs(number)) + rng.choice(["", "", "\0", "z" * 40])
        return text.encode() if name == "binary" else text
    if name == "date":
        return datetime.date(2001, 1, 1) + datetime.timedelta(days=number % 200_000)
    if name == "instant":
        return EPOCH + datetime.timedelta(microseconds=number * rng.choice([1, 10**9]))
    if name == "decimal":
        return decimal.Decimal(number) / 100
    if name == "wide":
        return decimal.Decimal(number) * rng.choice([1, 10**25])
    return [number] * rng.randrange(3) + [rng.choice([None, 1])]


def check(case: Case, binary: str, place: Path) -> str | None:
    """What differs, if anything."""
    source = harness.input_args(case.rng, case.table, place / "table", case.files)
    cut = [] if case.limit is None else ["--limit", str(case.limit)]
    cut += ["--offset", str(case.offset)] if case.offset else []
    columns = ", ".join(case.table.column_names)
    args = ["select", *source, "--columns", columns, "--sort", ", ".join(case.keys), *cut]
    way = harness.random_way(case.rng)
    found = harness.rows_of(harness.run_dframe(binary, args, way, place / "out.parquet"))
    table = case.table
    limit = "" if case.limit is None else f"limit {case.limit} offset {case.offset}"
    keys = [key if "nulls" in key else f"{key} nulls last" for key in case.keys]
    connection = duckdb.connect()
    connection.execute("set threads = 1; pragma disable_optimizer")
    connection.register("rows", table)
    ordered = connection.sql(f"select {columns} from rows order by {', '.join(keys)}, row {limit}")
    expected = harness.rows_of(ordered.to_arrow_table())
    if expected == found:
        return None
    if len(expected) != len(found):
        return f"{case.describe()}\n{way}\n{len(found)} rows, expected {len(expected)}"
    first = next(n for n, (a, b) in enumerate(zip(expected, found)) if a != b)
    return f"{case.describe()}\n{way}\nrow {first}: expected {expected[first]}, found {found[first]}"


if __name__ == "__main__":
    sys.exit(harness.main(__doc__.splitlines()[0], random_case, check))

"""Random joins, by dframe and by DuckDB.

    python3 tests/differential/join.py --cases 1000 --seed 1 [--binary PATH] [--case N]

Every kind, on zero to three keys of types that may differ, with and without a further condition, over sides of
different sizes with NULLs, NaN, and one key that most rows have. The exit status is 1 if an answer differs.
"""

import datetime
import decimal
import random
import sys
from dataclasses import dataclass
from pathlib import Path

from environment import ensure_packages

ensure_packages()

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402

import harness  # noqa: E402

KINDS = ["inner", "left", "right", "full", "semi", "anti", "cross"]
TYPES = {
    "int": [pa.int32(), pa.int64(), pa.int8(), pa.uint16()],
    "wide": [pa.int64(), pa.int64(), pa.float64()],
    "float": [pa.float64(), pa.float32()],
    "text": [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    "date": [pa.date32()],
    "bool": [pa.bool_()],
    "decimal": [pa.decimal128(10, 2), pa.decimal128(12, 1)],
    "instant": [pa.timestamp("us"), pa.timestamp("ms"), pa.timestamp("ns")],
}


@dataclass(frozen=True)
class Case:
    """Two tables, and how they are joined."""

    left: pa.Table
    right: pa.Table
    kind: str
    keys: list[tuple[str, str]]
    condition: str | None
    nulls_equal: bool
    where: str | None
    rng: random.Random

    def describe(self) -> str:
        """In a line."""
        types = [f"{self.left.schema.field(a).type}/{self.right.schema.field(b).type}" for a, b in self.keys]
        return f"{self.left.num_rows} {self.kind} {self.right.num_rows} on {types} nulls_equal={self.nulls_equal} {self.condition} where {self.where}"


def random_case(seed: int, index: int) -> Case:
    """The case of a number; kinds take turns."""
    rng = random.Random(f"{seed}-{index}")
    kind = KINDS[index % len(KINDS)]
    count = 0 if kind == "cross" else rng.choice([1, 1, 1, 2, 2, 3])
    small = kind == "cross"
    left_rows, right_rows = (rng.choice([0, 1, 7, 60] if small else [0, 3, 40, 700, 3000, 20_000]) for _ in range(2))
    same_names = rng.random() < 0.6
    families = [rng.choice(list(TYPES)) for _ in range(count)]
    distinct = [rng.choice([1, 3, 30, 1000, 100_000]) for _ in families]
    large = left_rows * right_rows > 10**6
    if large:
        # Pairs must stay few enough to be compared: one key has many values, and NULL is not one that most have.
        distinct = [max(size, 1000) for size in distinct]
        families[0] = rng.choice(["wide", "float", "text", "date", "decimal", "instant"])
    left, right = {}, {}
    keys = []
    for place, (family, size) in enumerate(zip(families, distinct)):
        names = (f"k{place}", f"k{place}" if same_names else f"r{place}")
        keys.append(names)
        skew = rng.random() < 0.2 and left_rows * right_rows <= 10**6
        left[names[0]] = key_column(rng, family, left_rows, size, skew)
        right[names[1]] = key_column(rng, family, right_rows, size, skew)
    for side, rows in ((left, left_rows), (right, right_rows)):
        side["x"] = pa.array([rng.choice([None, *range(20)]) for _ in range(rows)], pa.int64())
        side["t"] = pa.array([rng.choice([None, "", "a", "long " * rng.choice([1, 1, 200])]) for _ in range(rows)])
        side["row"] = pa.array(range(rows), pa.int64())
    condition = rng.choice([None, None, "left.x < right.x", "left.x + right.x > 20 or left.t = right.t"])
    if kind == "cross":
        condition = None
    nulls_equal = count > 0 and not large and rng.random() < 0.2
    # A filter that leaves few rows of one side has its keys filter the other one.
    choices = [None, None, "left.x < 2", "left.row > 15000"]
    where = rng.choice(choices if kind in ("semi", "anti") else [*choices, "right.x < 2", "right.row % 100 = 7"])
    return Case(pa.table(left), pa.table(right), kind, keys, condition, nulls_equal, where, rng)


def key_column(rng: random.Random, family: str, rows: int, distinct: int, skew: bool) -> pa.Array:
    """Values of which both sides have many in common."""
    nulls = rng.choice([0, 0, 0.1, 0.6])

    def number() -> int | None:
        if rng.random() < nulls:
            return None
        return 0 if skew and rng.random() < 0.9 else rng.randrange(distinct)

    data_type = rng.choice(TYPES[family])
    numbers = [number() for _ in range(rows)]
    values = [None if n is None else value_of(family, n) for n in numbers]
    if pa.types.is_dictionary(data_type):
        return pa.array(values, data_type.value_type).dictionary_encode()
    return pa.array(values, data_type)


def value_of(family: str, number: int):
    """The value of a number."""
    match family:
        case "int":
            return number % 120
        case "wide":
            return number * 7_919 - 3
        case "float":
            return [float("nan"), 0.0, -0.0, float("inf")][number] if number < 4 else number / 4
        case "text":
            return ["", "é", "a" * 40][number] if number < 3 else f"name{number}"
        case "bool":
            return number % 2 == 0
        case "decimal":
            return decimal.Decimal(number % 90_000) / 10
        case "instant":
            return datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=number)
        case _:
            return number


def duck_sql(case: Case) -> str:
    """The join for DuckDB, with the columns that dframe gives."""
    equals = "IS NOT DISTINCT FROM" if case.nulls_equal else "="
    conditions = [f"l.{a} {equals} r.{b}" for a, b in case.keys]
    if case.condition:
        conditions.append("(" + case.condition.replace("left.", "l.").replace("right.", "r.") + ")")
    on = "" if case.kind == "cross" else "ON " + " AND ".join(conditions)
    where = "WHERE " + case.where.replace("left.", "l.").replace("right.", "r.") if case.where else ""
    if case.kind in ("semi", "anti"):
        return f"SELECT l.* FROM l {case.kind.upper()} JOIN r {on} {where}"
    shared = [a for a, b in case.keys if a == b]
    columns = [f"coalesce(l.{a}, r.{a}) AS {a}" if a in shared and case.kind in ("right", "full") else f"l.{a}"
               for a in case.left.column_names]
    taken = set(case.left.column_names)
    columns += [f"r.{b} AS {b + '_right' if b in taken else b}" for b in case.right.column_names if b not in shared]
    return f"SELECT {', '.join(columns)} FROM l {case.kind.upper()} JOIN r {on} {where}"


def check(case: Case, binary: str, folder: Path) -> str | None:
    """The difference, if there is one."""
    connection = duckdb.connect(config={"threads": 1})
    connection.register("l", case.left)
    connection.register("r", case.right)
    expected = harness.rows_of(instants(connection.sql(duck_sql(case)).to_arrow_table()))
    paths = [harness.write_files(case.rng, table, folder / name, case.rng.choice([1, 2, 9]))
             for table, name in ((case.left, "left"), (case.right, "right"))]
    args = ["join", *map(str, paths), f"--how={case.kind}"]
    if case.keys:
        args += [f"--left-on={', '.join(a for a, _ in case.keys)}", f"--right-on={', '.join(b for _, b in case.keys)}"]
    args += [f"--condition={case.condition}"] if case.condition else []
    args += [f"--where={case.where}"] if case.where else []
    args += ["--nulls-equal"] if case.nulls_equal else []
    for way in (harness.random_way(case.rng) for _ in range(2)):
        found = harness.rows_of(instants(harness.run_dframe(binary, args, way, folder / "out.parquet")))
        problem = harness.difference(expected, found)
        if problem:
            return f"{case.describe()} {way}\n{problem}"
    return None


def instants(table: pa.Table) -> pa.Table:
    """Instants as nanoseconds, so that units do not matter."""
    columns = [
        column.cast(pa.timestamp("ns")).cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


if __name__ == "__main__":
    sys.exit(harness.main(__doc__.splitlines()[0], random_case, check))

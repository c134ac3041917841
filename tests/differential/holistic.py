"""Random aggregates that need all values of a group, by dframe and by DuckDB.

    python3 tests/differential/holistic.py --cases 1000 --seed 1 [--binary PATH] [--case N]

Quantiles of every kind, the mode, entropy, lists and texts in order; with and without keys, FILTER and DISTINCT, one group
with most of the rows, and memory limits that hold none of it. What DuckDB lacks is asked of it in other words: an interpolation
is an index into a sorted list. Its mode is the first met of several, so Python counts its list of values instead. Values
and their types must be equal; floats may differ by 1e-9 of their size. The exit status is 1 if an answer differs.
"""

import collections
import datetime
import decimal
import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environment import ensure_packages

ensure_packages()

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402

from harness import input_args, main, random_way, run_dframe  # noqa: E402

NUMBERS = ["i8", "i32", "i64", "u8", "u64", "f32", "f64", "dec"]
TIMES = ["day", "ts"]
OTHERS = ["text", "flag"]
SHARES = [0, 7, 10, 25, 50, 75, 90, 99, 100]
"""In percent."""


@dataclass(frozen=True)
class Call:
    """An aggregate in both dialects, and what is made of DuckDB's answer."""

    ours: str
    theirs: str
    after: Callable[[Any], Any] = field(default=lambda value: value)
    same_type: bool = True
    # DuckDB cuts what lies between two decimals after rounding it as a float, and may be a unit off.
    unit_off: bool = False


@dataclass(frozen=True)
class Case:
    """A table and a query over it."""

    table: pa.Table
    files: int
    keys: list[str]
    calls: list[Call]
    where: str | None
    ways: list[list[str]]
    seed: str


def random_value(rng: random.Random, column: str, few: bool) -> Any:
    """A value of a column, of which there are few or many."""
    if column in ("i8", "u8"):
        return rng.randint(0 if column == "u8" else -128, 127) if not few else rng.randint(0, 4)
    if column in ("i32", "i64"):
        limit = 2**31 if column == "i32" else 2**63
        return rng.randint(-5, 5) if few else rng.choice([rng.randint(-limit, limit - 1), rng.randint(-1000, 1000), -limit])
    if column == "u64":
        return rng.randint(0, 5) if few else rng.choice([rng.randint(0, 2**64 - 1), 2**64 - 1, rng.randint(0, 99)])
    if column in ("f32", "f64"):
        if rng.random() < 0.03:
            # DuckDB's quantiles of FLOAT are NaN next to an infinity, those of DOUBLE are not.
            return rng.choice([math.nan, -0.0, 0.0] + ([math.inf, -math.inf] if column == "f64" else []))
        return rng.randint(-8, 8) / 4 if few else round(rng.uniform(-1e6, 1e6), rng.randint(0, 6))
    if column == "dec":
        return decimal.Decimal(rng.randint(-9, 9) if few else rng.randint(-(10**9), 10**9)) / 100
    if column == "day":
        return datetime.date(2024, 1, 1) + datetime.timedelta(days=rng.randint(0, 3 if few else 9000))
    if column == "ts":
        return datetime.datetime(2024, 1, 1) + datetime.timedelta(microseconds=rng.randint(0, 3 if few else 10**13))
    if column == "text":
        return rng.choice(["", "a", "b,c", "é"]) if few else "".join(rng.choices("abcé ", k=rng.choice([0, 1, 3, 40])))
    return rng.random() < 0.5


def random_table(rng: random.Random) -> pa.Table:
    """Rows with keys of few and many groups, one of which may have most rows."""
    rows = rng.choice([0, 1, 2, 7, 60, 60, 600, 600, 5_000, 20_000])
    if rng.random() < 0.015:
        rows = 200_000
    skew = rng.choice([0.0, 0.0, 0.9])
    groups = rng.choice([1, 3, 40, max(1, rows // 3)])
    types = {
        "i8": pa.int8(), "i32": pa.int32(), "i64": pa.int64(), "u8": pa.uint8(), "u64": pa.uint64(), "f32": pa.float32(),
        "f64": pa.float64(), "dec": pa.decimal128(12, 2), "day": pa.date32(), "ts": pa.timestamp("us"), "text": pa.string(),
        "flag": pa.bool_(),
    }  # fmt: skip
    wanted = rng.sample(list(types), k=4) if rows > 5_000 else list(types)
    columns: dict[str, pa.Array] = {"id": pa.array(range(rows), pa.int64())}
    keys = [0 if rng.random() < skew else rng.randrange(groups) for _ in range(rows)]
    columns["k"] = pa.array([None if key == 1 else key for key in keys], pa.int64())
    columns["s"] = pa.array([f"key {key % 5}" for key in keys], pa.string())
    for name in wanted:
        few, nulls = rng.random() < 0.5, rng.choice([0.0, 0.2, 0.2, 1.0 if rng.random() < 0.2 else 0.5])
        values = [None if rng.random() < nulls else random_value(rng, name, few) for _ in range(rows)]
        columns[name] = pa.array(values, types[name])
    return pa.table(columns)


def percent(share: int) -> str:
    """A share of one as a constant."""
    return f"{share / 100}"


def sorted_list(x: str, suffix: str) -> str:
    """DuckDB's sorted list of the values of a group."""
    return f"list_sort(list({x}){suffix or f' FILTER (WHERE {x} IS NOT NULL)'})"


def interpolated(rng: random.Random, x: str) -> Call:
    """`quantile` with an interpolation, as an index into a sorted list."""
    share, how = rng.choice(SHARES), rng.choice(["lower", "higher", "nearest", "midpoint"])
    place = f"((count({x}) - 1) * {share})"
    index = {"lower": f"{place} // 100", "higher": f"({place} + 99) // 100", "nearest": f"({place} * 2 + 100) // 200"}
    values = sorted_list(x, "")
    ours = f"quantile({x}, {percent(share)}, '{how}')"
    if how != "midpoint":
        return Call(ours, f"{values}[1 + ({index[how]})]")
    low, high = (f"{values}[1 + ({index[name]})]::DOUBLE" for name in ("lower", "higher"))
    middle = f"CASE WHEN {low} = {high} THEN {low} ELSE {low} * 0.5 + {high} * 0.5 END"
    return Call(ours, f"({middle})::FLOAT" if x == "f32" else middle, same_type=False)


def most_frequent(values: list | None) -> Any:
    """The smallest of the values that occur most often; NaN is the greatest."""
    if not values:
        return None
    values = ["NaN" if isinstance(value, float) and math.isnan(value) else value for value in values]
    counts = collections.Counter(values)
    most = max(counts.values())
    best = min((value for value in counts if counts[value] == most), key=lambda value: (value == "NaN", str(value) if value == "NaN" else value))
    return math.nan if best == "NaN" else best


def random_order(rng: random.Random, columns: list[str]) -> str:
    """Keys of an order that leaves nothing open."""
    keys = [
        f"{column}{rng.choice(['', ' DESC'])} NULLS {rng.choice(['FIRST', 'LAST'])}"
        for column in rng.sample(columns, k=rng.choice([0, 1, 1, 2]))
    ]
    return ", ".join([*keys, rng.choice(["id", "id DESC"])])


def turned(order: str) -> str:
    """An order the other way round."""
    keys = []
    for key in order.split(", "):
        name, *_ = key.split(" ")
        direction = "" if " DESC" in key else " DESC"
        nulls = "" if " NULLS" not in key else f" NULLS {'LAST' if 'NULLS FIRST' in key else 'FIRST'}"
        keys.append(name + direction + nulls)
    return ", ".join(keys)


def picking_call(rng: random.Random, columns: list[str], x: str, suffix: str) -> Call:
    """An aggregate of the first rows by some order, or of the shape of a distribution."""
    y, order, n = rng.choice(columns), random_order(rng, columns), rng.choice([1, 2, 5, 1000])
    kind = rng.choice(["first", "last", "any", "arg", "args", "top", "mad", "shape"])
    both = f" FILTER (WHERE {x} IS NOT NULL AND {y} IS NOT NULL" + (suffix.replace(" FILTER (WHERE ", " AND ") or ")")
    if kind == "first":
        return Call(f"first({x} ORDER BY {order}){suffix}", f"list({x} ORDER BY {order}){suffix}[1]")
    if kind == "last":
        return Call(f"last({x} ORDER BY {order}){suffix}", f"list({x} ORDER BY {turned(order)}){suffix}[1]")
    if kind == "any":
        some = f" FILTER (WHERE {x} IS NOT NULL" + (suffix.replace(" FILTER (WHERE ", " AND ") or ")")
        return Call(f"any_value({x} ORDER BY {order}){suffix}", f"list({x} ORDER BY {order}){some}[1]")
    if kind in ("arg", "args"):
        name, direction = rng.choice([("arg_min", ""), ("min_by", ""), ("arg_max", " DESC"), ("max_by", " DESC")])
        values = f"list({x} ORDER BY {y}{direction}, id){both}"
        if kind == "arg":
            return Call(f"{name}({x}, {y}){suffix}", f"{values}[1]")
        return Call(f"{name}({x}, {y}, {n}){suffix}", f"{values}[1:{n}]")
    if kind == "top":
        name, direction = rng.choice([("min", ""), ("max", " DESC")])
        some = f" FILTER (WHERE {x} IS NOT NULL" + (suffix.replace(" FILTER (WHERE ", " AND ") or ")")
        return Call(f"{name}({x}, {n}){suffix}", f"list({x} ORDER BY {x}{direction}, id){some}[1:{n}]")
    if kind == "mad" and x in NUMBERS and not x.startswith("f"):
        return Call(f"mad({x}){suffix}", f"mad({x}){suffix}")
    name = rng.choice(["skewness", "kurtosis", "kurtosis_pop"])
    return Call(f"{name}(id % 13){suffix}", f"{name}(id % 13){suffix}")


def random_call(rng: random.Random, columns: list[str]) -> Call:
    """One aggregate."""
    x = rng.choice(columns)
    numeric, between = x in NUMBERS, x in NUMBERS + TIMES
    kind = rng.choice(["median", "cont", "disc", "several", "interpolated", "mode", "entropy", "list", "ordered", "text", "distinct", "plain"])
    condition = rng.choice([None, None, None, "id % 3 = 0", "id < 0"])
    suffix = f" FILTER (WHERE {condition})" if condition else ""
    if rng.random() < 0.4:
        return picking_call(rng, columns, x, suffix)
    both = lambda text: Call(text + suffix, text + suffix, unit_off=text.startswith("quantile_cont"))  # noqa: E731
    p = percent(rng.choice(SHARES))
    if kind == "median" and x != "flag":
        return both(f"median({rng.choice(['', '', 'DISTINCT '])}{x})")
    if kind == "cont" and between:
        name = rng.choice(["quantile_cont", "quantile"])
        return Call(f"{name}({x}, {p}){suffix}", f"quantile_cont({x}, {p}){suffix}", unit_off=True)
    if kind == "disc":
        return both(f"quantile_disc({x}, {p})")
    if kind == "several":
        name = "quantile_cont" if between and rng.random() < 0.5 else "quantile_disc"
        return both(f"{name}({x}, [{', '.join(percent(share) for share in rng.sample(SHARES, k=rng.choice([1, 2, 3, 9])))}])")
    if kind == "interpolated" and numeric:
        return interpolated(rng, x)
    if kind == "mode":
        condition = f"{x} IS NOT NULL" + (f" AND {condition}" if condition else "")
        return Call(f"mode({x}){suffix}", f"list({x}) FILTER (WHERE {condition})", most_frequent, same_type=False)
    if kind == "entropy":
        return both(f"entropy({x})")
    if kind == "list":
        return Call(f"list({x}){suffix}", f"list({x} ORDER BY id){suffix}")
    if kind == "text":
        text = x if x == "text" else f"cast({'id' if x in ('f32', 'f64', 'dec', 'flag', 'ts') else x} AS varchar)"
        order = random_order(rng, columns)
        return both(f"string_agg({text}, {rng.choice(['chr(44)', repr('; '), repr('')])} ORDER BY {order})".replace("chr(44)", "','"))
    if kind == "distinct":
        return Call(f"list(DISTINCT {x}){suffix}", f"list(DISTINCT {x} ORDER BY {x} NULLS LAST){suffix}")
    if kind == "plain":
        return both(rng.choice(["count(*)", f"count({x})", f"count(DISTINCT {x})", "max(id)"]))
    return both(f"list({x} ORDER BY {random_order(rng, columns)})")


def random_case(seed: int, number: int) -> Case:
    """The case of a number."""
    rng = random.Random(f"holistic {seed} {number}")
    table = random_table(rng)
    columns = [name for name in table.column_names if name not in ("id", "k", "s")]
    keys = rng.choice([[], [], ["k"], ["k"], ["s"], ["s", "k"]])
    calls = [random_call(rng, columns) for _ in range(rng.choice([1, 1, 2, 3, 5]))]
    where = rng.choice([None, None, None, "id % 2 = 0", "id < 0"])
    ways = [random_way(rng) for _ in range(2)]
    return Case(table, rng.choice([1, 1, 2, 5]), keys, calls, where, ways, f"{seed} {number}")


def expected_rows(case: Case) -> tuple[list[list], list[pa.DataType]]:
    """DuckDB's answer and its types."""
    connection = duckdb.connect(config={"threads": 1})
    connection.register("rows", case.table)
    columns = [*case.keys, *(f"{call.theirs} AS a{number}" for number, call in enumerate(case.calls))]
    where = f" WHERE {case.where}" if case.where else ""
    group = f" GROUP BY {', '.join(case.keys)}" if case.keys else ""
    found = connection.sql(f"SELECT {', '.join(columns)} FROM rows{where}{group}").to_arrow_table()
    afters = [lambda value: value] * len(case.keys) + [call.after for call in case.calls]
    return [[after(value) for after, value in zip(afters, row.values(), strict=True)] for row in found.to_pylist()], found.schema.types


def our_arguments(case: Case, source: list[str]) -> list[str]:
    """The command line, but for the way."""
    calls = ", ".join(f"{call.ours} AS a{number}" for number, call in enumerate(case.calls))
    args = ["groupby", *source, "--agg", calls]
    if case.keys:
        args += ["--by", ", ".join(case.keys)]
    return args + (["--where", case.where] if case.where else [])


def plain(data_type: pa.DataType) -> str:
    """A type as text, without what files may choose."""
    text = str(data_type).replace("large_", "").replace("string_view", "string").replace("dictionary<values=string, indices=int32, ordered=0>", "string")
    for name in ("element", "item", "l", "child"):
        text = text.replace(f"<{name}: ", "<")
    return text.replace(" not null", "")


def same(case: Case, column: int, left: Any, right: Any) -> bool:
    """Whether a value is what is expected in a column of the result."""
    call = case.calls[column - len(case.keys)] if column >= len(case.keys) else None
    if call and call.unit_off:
        pairs = zip(left, right, strict=True) if isinstance(left, list) else [(left, right)]
        return all(
            abs(a - b) <= decimal.Decimal(1).scaleb(b.as_tuple().exponent) if isinstance(b, decimal.Decimal) else close(a, b) for a, b in pairs
        )
    return close(left, right)


def close(left: Any, right: Any) -> bool:
    """Equal, or floats that are nearly so."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(close, left, right))
    if isinstance(left, (float, decimal.Decimal)) and isinstance(right, (float, int, decimal.Decimal)) and not isinstance(right, bool):
        if isinstance(left, decimal.Decimal) and isinstance(right, decimal.Decimal):
            return left == right
        if isinstance(right, decimal.Decimal) and isinstance(left, float):
            # What lies between two decimals is cut to their scale.
            return abs(left - float(right)) < 1.0001 * 10.0 ** int(right.as_tuple().exponent)
        left, right = float(left), float(right)
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return left == right or math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    return left == right


def check(case: Case, binary: str, folder: Path) -> str | None:
    """What differs."""
    source = input_args(random.Random(case.seed), case.table, folder / "data", case.files)
    expected, types = expected_rows(case)
    by_key = {tuple(row[: len(case.keys)]): row for row in expected}
    args = our_arguments(case, source)
    for number, way in enumerate(case.ways):
        table = run_dframe(binary, args, way, folder / f"{number}.parquet")
        shown = f"dframe {' '.join(args[2:])} {' '.join(way)} ({case.table.num_rows} rows)"
        for call, ours, theirs in zip(case.calls, table.schema.types[len(case.keys) :], types[len(case.keys) :], strict=True):
            if call.same_type and plain(ours) != plain(theirs):
                return f"{shown}\n{call.ours} is {ours}, not {theirs}"
        if table.num_rows != len(expected):
            return f"{shown}\n{table.num_rows} groups, not {len(expected)}"
        for row in (list(row.values()) for row in table.to_pylist()):
            wanted = by_key.get(tuple(row[: len(case.keys)]))
            if wanted is None or not all(same(case, number, *pair) for number, pair in enumerate(zip(wanted, row, strict=True))):
                return f"{shown}\nexpected {str(wanted)[:600]}\nfound    {str(row)[:600]}"
    return None


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0], random_case, check))

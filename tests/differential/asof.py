"""Random as-of joins, by dframe and by DuckDB.

    python3 tests/differential/asof.py --cases 1000 --seed 1 [--binary PATH] [--case N]

Every direction, with none to two equal keys, over ordered keys of numbers, times and texts with NULLs, NaN and many
equal ones, with and without a tolerance. DuckDB is told what an as-of join is: of all pairs that the keys allow, the
best one by distance and place. The exit status is 1 if an answer differs.
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

ORDERED = {
    "int": pa.int64(),
    "small": pa.int16(),
    "float": pa.float64(),
    "date": pa.date32(),
    "instant": pa.timestamp("us"),
    "decimal": pa.decimal128(9, 2),
    "text": pa.string(),
}
START = datetime.datetime(2024, 1, 1)


@dataclass(frozen=True)
class Case:
    """Two tables, and how they are joined."""

    left: pa.Table
    right: pa.Table
    by: list[str]
    ordered: str
    direction: str
    tolerance: int | None
    rng: random.Random

    def describe(self) -> str:
        """In a line."""
        return (
            f"{self.left.num_rows} asof {self.right.num_rows} {self.direction} by {self.by} "
            f"on {self.ordered} within {self.tolerance}"
        )


def random_case(seed: int, index: int) -> Case:
    """The case of a number; directions take turns."""
    rng = random.Random(f"{seed}-{index}")
    direction = ["backward", "forward", "nearest"][index % 3]
    names = [name for name in ORDERED if direction != "nearest" or name != "text"]
    ordered = rng.choice(names)
    by = ["a", "b"][: rng.choice([0, 1, 1, 2])]
    tolerance = rng.choice([None, None, 0, 3, 50]) if ordered != "text" else None
    spread = rng.choice([5, 100, 3000])
    sides = []
    for _ in range(2):
        rows = rng.choice([0, 1, 30, 400, 2500])
        kinds = rng.choice([1, 4, 60])
        columns = {
            "a": pa.array([rng.choice([None, *range(kinds)]) for _ in range(rows)], pa.int32()),
            "b": pa.array([rng.choice([None, "x", "y", "z" * 30]) for _ in range(rows)]),
            "t": ordered_column(rng, ordered, rows, spread),
            "v": pa.array([rng.choice([None, "payload" * rng.randrange(4)]) for _ in range(rows)]),
            "row": pa.array(range(rows), pa.int64()),
        }
        sides.append(pa.table(columns))
    return Case(*sides, by, ordered, direction, tolerance, rng)


def ordered_column(rng: random.Random, name: str, rows: int, spread: int) -> pa.Array:
    """Values of a type, in order or not."""
    nulls = rng.choice([0, 0, 0.1])
    numbers = [rng.randrange(-spread, spread) for _ in range(rows)]
    if rng.random() < 0.3:
        numbers.sort()
    return pa.array([None if rng.random() < nulls else value_of(rng, name, number) for number in numbers], ORDERED[name])


def value_of(rng: random.Random, name: str, number: int) -> Any:
    """The value that stands for a number."""
    if name == "float":
        return rng.choice([float("nan"), float("inf"), -0.0]) if rng.random() < 0.02 else number / 2
    if name == "date":
        return START.date() + datetime.timedelta(days=number)
    if name == "instant":
        return START + datetime.timedelta(seconds=number)
    if name == "decimal":
        return decimal.Decimal(number) / 4
    if name == "int" and rng.random() < 0.01:
        return rng.choice([-(2**63), 2**63 - 1])
    return f"{number + 5000:05}" if name == "text" else number


def distance_of(case: Case) -> str:
    """How far the ordered keys of a pair are apart, in SQL."""
    if case.ordered == "instant":
        return "abs(epoch_us(l.t) - epoch_us(r.t))"
    if case.ordered == "date":
        return "abs(l.t - r.t)"
    if case.ordered == "float":
        same = "l.t = r.t or (isnan(l.t) and isnan(r.t))"
        far = "isnan(l.t - r.t)"
        return f"case when {same} then 0 when {far} then 'infinity'::double else abs(l.t - r.t) end"
    if case.ordered == "text":
        return "0"
    return "abs(l.t::hugeint - r.t::hugeint)" if case.ordered in ("int", "small") else "abs(l.t - r.t)"


def expected_rows(case: Case) -> list[tuple]:
    """DuckDB's answer: the best of all pairs."""
    connection = duckdb.connect()
    connection.execute("set threads = 1; pragma disable_optimizer")
    connection.register("lhs", case.left)
    connection.register("rhs", case.right)
    behind = "case when r.t <= l.t then 0 else 1 end"
    order = {
        "backward": "r.t desc, r.row desc",
        "forward": "r.t, r.row",
        "nearest": f"d, {behind}, case when r.t <= l.t then r.t end desc, r.t, case when r.t <= l.t then -r.row else r.row end",
    }[case.direction]
    bound = {"backward": "r.t <= l.t", "forward": "r.t >= l.t", "nearest": "true"}[case.direction]
    equal = "".join(f" and l.{key} = r.{key}" for key in case.by)
    scale = 10**6 if case.ordered == "instant" else 1
    within = "true" if case.tolerance is None else f"d <= {case.tolerance * scale}"
    query = f"""
        with pairs as (
            select l.row as l_row, r.row as r_row, r.v as r_v, {distance_of(case)} as d,
                   row_number() over (partition by l.row order by {order}) as place
            from lhs l join rhs r on {bound} {equal} and l.t is not null and r.t is not null)
        select lhs.row, lhs.v, p.r_row, p.r_v
        from lhs left join (select * from pairs where place = 1 and {within}) p on lhs.row = p.l_row"""
    return harness.rows_of(connection.sql(query).to_arrow_table())


def check(case: Case, binary: str, place: Path) -> str | None:
    """What differs, if anything."""
    left = harness.write_files(case.rng, case.left, place / "left", case.rng.choice([1, 3]))
    right = harness.write_files(case.rng, case.right, place / "right", case.rng.choice([1, 3]))
    args = ["join", str(left), str(right), "--how", "asof", "--on", ", ".join([*case.by, "t"])]
    args += ["--direction", case.direction, "--columns", "left.row, left.v, right.row as r, right.v as w"]
    if case.tolerance is not None:
        args += ["--tolerance", f"{case.tolerance}{'s' if case.ordered == 'instant' else ''}"]
    way = harness.random_way(case.rng)
    found = harness.rows_of(harness.run_dframe(binary, args, way, place / "out.parquet"))
    problem = harness.difference(expected_rows(case), found)
    return problem and f"{case.describe()}\n{way}\n{problem}"


if __name__ == "__main__":
    sys.exit(harness.main(__doc__.splitlines()[0], random_case, check))

"""Random distinct rows, by dframe and by DuckDB.

    python3 tests/differential/distinct.py --cases 1000 --seed 1 [--binary PATH] [--case N]

Different rows of one to four columns of any type that can be a key, and the first row of each key with all its columns.
The exit status is 1 if an answer differs.
"""

import random
import sys
from dataclasses import dataclass
from pathlib import Path

from environment import ensure_packages

ensure_packages()

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402

import harness  # noqa: E402
from sort import TYPES, key_column  # noqa: E402


@dataclass(frozen=True)
class Case:
    """A table, and the columns that tell its rows apart."""

    table: pa.Table
    on: list[str] | None
    files: int
    rng: random.Random

    def describe(self) -> str:
        """In a line."""
        types = {name: str(self.table.schema.field(name).type) for name in self.table.column_names}
        return f"{self.table.num_rows} rows on {self.on}, {types}"


def random_case(seed: int, index: int) -> Case:
    """The case of a number; every second one is of whole rows."""
    rng = random.Random(f"{seed}-{index}")
    rows = rng.choice([0, 1, 5, 300, 5000, 40_000, 120_000])
    types = [name for name in TYPES if name != "list"]
    names = [rng.choice(types) for _ in range(rng.choice([1, 1, 2, 2, 3, 4]))]
    columns = {f"k{place}": key_column(rng, name, rows) for place, name in enumerate(names)}
    if index % 2:
        return Case(pa.table(columns), None, rng.choice([1, 3, 12]), rng)
    columns["payload"] = key_column(rng, rng.choice(types), rows)
    columns["row"] = pa.array(range(rows), pa.int64())
    on = rng.sample(list(columns)[: len(names)], rng.randrange(1, len(names) + 1))
    return Case(pa.table(columns), on, rng.choice([1, 3, 12]), rng)


def check(case: Case, binary: str, place: Path) -> str | None:
    """What differs, if anything."""
    source = harness.input_args(case.rng, case.table, place / "table", case.files)
    way = harness.random_way(case.rng)
    args = ["distinct", *source] + (["--on", ", ".join(case.on)] if case.on else [])
    found = harness.rows_of(harness.run_dframe(binary, args, way, place / "out.parquet"))
    connection = duckdb.connect()
    connection.execute("set threads = 1; pragma disable_optimizer")
    connection.register("rows", case.table)
    keys = ", ".join(case.on or [])
    query = f"select distinct on ({keys}) * from rows order by {keys}, row" if case.on else "select distinct * from rows"
    expected = harness.rows_of(connection.sql(query).to_arrow_table())
    problem = harness.difference(expected, found)
    return problem and f"{case.describe()}\n{way}\n{problem}"


if __name__ == "__main__":
    sys.exit(harness.main(__doc__.splitlines()[0], random_case, check))

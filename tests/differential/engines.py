"""Runs a query with DuckDB, and with dframe in one of its ways."""

import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

import duckdb

import values
from queries import Query, dframe_args, duck_sql
from values import Values

TIMEOUT = 120
OVER_BUDGET = 4


@dataclass
class Outcome:
    """A result, or the text of an error."""

    columns: list[Values] | None
    scales: list[list | None] | None = None
    error: str | None = None
    status: int = 0


@dataclass(frozen=True)
class Way:
    """How dframe runs a query; none of it may change the rows."""

    threads: str
    memory: str | None
    optimizer: bool
    format: str

    def args(self) -> list[str]:
        """As arguments of the command."""
        args = ["--executor", "sync"] if self.threads == "sync" else ["--threads", self.threads]
        args += ["--memory-limit", self.memory] if self.memory else []
        return args if self.optimizer else args + ["--no-optimizer"]


def random_way(rng: random.Random) -> Way:
    """Any way, with Parquet as the most frequent format."""
    return Way(
        rng.choice(["sync", "1", "2", "8"]),
        rng.choice([None, None, "16MiB", "24MiB", "64MiB"]),
        rng.random() < 0.7,
        rng.choice(["parquet"] * 6 + ["csv", "ndjson"]),
    )


class Duck:
    """A connection to DuckDB that reads rows in order and runs queries as they are written.

    With its optimizer DuckDB 2.0.0 loses rows: statistics of Parquet files say nothing of NaN, which is
    greater than all numbers, and a limit above a filter or an order is sometimes taken below it.
    """

    def __init__(self):
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute("PRAGMA disable_optimizer")

    def run(self, query: Query, files: list[Path], zone: str) -> Outcome:
        """The result; rows of scales are aside."""
        self.connection.execute(f"SET TimeZone = '{zone}'")
        try:
            table = self.connection.sql(duck_sql(query, files)).to_arrow_table()
        except duckdb.Error as error:
            return Outcome(None, error=f"{type(error).__name__}: {error}")
        columns = values.of_table(table)
        count = len(query.columns)
        rest = iter(columns[count:])
        scales = [next(rest).values if output.scale else None for output in query.columns]
        return Outcome(columns[:count], scales)


def command(binary: str, query: Query, files: list[Path], way: Way, output: Path) -> list[str]:
    """The command line of a run."""
    return [binary, *dframe_args(query, files), *way.args(), "-q", "-o", str(output)]


def run_dframe(
    binary: str, query: Query, files: list[Path], way: Way, folder: Path, kinds: list[str] | None
) -> Outcome:
    """The result of dframe; `kinds` are those to read text as."""
    output = folder / f"out.{way.format}"
    output.unlink(missing_ok=True)
    args = command(binary, query, files, way, output)
    try:
        run = subprocess.run(args, capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(None, error=f"no end after {TIMEOUT} s", status=-1)
    if run.returncode != 0:
        return Outcome(None, error=run.stderr.decode(errors="replace"), status=run.returncode)
    try:
        return Outcome(read(output, way.format, query, kinds))
    except (ValueError, KeyError) as error:
        return Outcome(None, error=f"cannot read the {way.format} output: {error!r}", status=-1)


def read(output: Path, file_format: str, query: Query, kinds: list[str] | None) -> list[Values]:
    """The columns of an output file."""
    if file_format == "parquet":
        return values.of_parquet(output)
    kinds = kinds or ["text"] * len(query.columns)
    text = output.read_bytes().decode()
    if file_format == "csv":
        return values.of_csv(text, kinds)
    return values.of_ndjson(text, kinds, [column.name for column in query.columns])

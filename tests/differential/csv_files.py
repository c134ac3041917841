"""Random CSV files, by dframe, by DuckDB and by Python's csv module.

    python3 tests/differential/csv_files.py --cases 1000 --seed 1 [--binary PATH] [--case N]

Two kinds of cases. A table of values of any type that text can show is written with random delimiters, quotes, line
ends and compression, cut into files; dframe must find the types it was made of and the values that DuckDB reads when it
is told the types. Or such a text is damaged here and there; then Python's module says which fields there are, and dframe
must either read those or refuse what is no table. The exit status is 1 if one differs.
"""

import bz2
import csv
import datetime
import gzip
import io
import lzma
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from environment import ensure_packages

ensure_packages()

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

import harness  # noqa: E402

CODECS = ["", "", "", ".gz", ".zst", ".bz2", ".xz"]
WORDS = ["tea", "milk", "a b", "", "N/A", "é漢", "x,y", 'say "so"', "two\nlines", ";", "\t", "'", "00501", "1.2.3", "-", "#no"]
EPOCH = datetime.datetime(1970, 1, 1)


def integer(rng: random.Random) -> str:
    return str(rng.choice([rng.randint(-9, 9), rng.randint(-(2**63), 2**63 - 1), 2**63 - 1, -(2**63)]))


def wide(rng: random.Random) -> str:
    return str(rng.choice([1, -1]) * rng.randint(2**63, 10**38 - 1))


def decimal(rng: random.Random) -> str:
    value = rng.choice([rng.uniform(-1, 1), rng.uniform(-1e15, 1e15), rng.uniform(-1, 1) * 10 ** rng.randint(-300, 300)])
    return rng.choice([repr(value), f"{rng.randint(-99, 99)}.{rng.randint(0, 99):02}", "nan", "inf", "-inf", "1.", ".5", f"{value:e}"])


def date(rng: random.Random) -> str:
    return (EPOCH + datetime.timedelta(days=rng.randint(-200_000, 800_000))).strftime("%Y-%m-%d").zfill(10)


def instant(rng: random.Random) -> str:
    clock = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}"
    seconds = rng.choice(["", ":07", ":59.5", ":00.123456"])
    return f"{date(rng)}{rng.choice(' T')}{clock}{seconds}"


def zoned(rng: random.Random) -> str:
    return instant(rng) + rng.choice(["Z", "+00:00", "-05:30", "+02"])


def word(rng: random.Random) -> str:
    return rng.choice(WORDS + ["word " * rng.randint(1, 40)])


# What is in a column: how a value is made, and the type that dframe must give it and DuckDB is told.
KINDS = {
    "integer": (integer, pa.int64(), "BIGINT"),
    "wide": (wide, pa.decimal128(38, 0), "DECIMAL(38, 0)"),
    "float": (decimal, pa.float64(), "DOUBLE"),
    "mixed": (lambda rng: rng.choice([integer, wide, decimal])(rng), pa.float64(), "DOUBLE"),
    "boolean": (lambda rng: rng.choice(["true", "False", "TRUE"]), pa.bool_(), "BOOLEAN"),
    "date": (date, pa.date32(), "DATE"),
    "instant": (lambda rng: rng.choice([date, instant])(rng), pa.timestamp("us"), "TIMESTAMP"),
    "zoned": (zoned, pa.timestamp("us", "UTC"), "TIMESTAMPTZ"),
    "text": (word, pa.string(), "VARCHAR"),
}
# A value that settles the type of a column that may have others besides.
SETTLING = {"wide": str(2**64), "float": "0.5", "mixed": "0.5", "instant": "2024-01-01 10:00", "text": "x"}


@dataclass(frozen=True)
class Case:
    """Fields with the way they are written, and whether the text is damaged."""

    kinds: list[str]
    rows: list[list[tuple[str, bool]]]
    delimiter: str
    line_end: str
    begin: str
    last_end: bool
    files: int
    codec: str
    damages: int
    rng: random.Random


def random_case(seed: int, number: int) -> Case:
    """The case of a number."""
    rng = random.Random(f"{seed}/{number}")
    kinds = [rng.choice(list(KINDS)) for _ in range(rng.randint(1, 7))]
    nulls = rng.choice([0, 0.1, 0.9])
    rows = [[field(rng, kind, nulls) for kind in kinds] for _ in range(rng.choice([0, 1, 5, 40, 2000]))]
    settling = [(SETTLING.get(kind) or KINDS[kind][0](rng), False) for kind in kinds]
    rows.insert(rng.randint(0, len(rows)), settling)
    damaged = rng.random() < 0.4
    return Case(
        kinds=kinds,
        rows=rows,
        delimiter="," if damaged else rng.choice([",", ",", ";", "\t", "|"]),
        line_end="\n" if damaged else rng.choice(["\n", "\r\n"]),
        begin=rng.choice(["", "", "\ufeff"]),
        last_end=rng.random() < 0.7,
        files=1 if damaged else rng.choice([1, 1, 2, 5]),
        codec="" if damaged else rng.choice(CODECS),
        damages=rng.randint(1, 6) if damaged else 0,
        rng=rng,
    )


def field(rng: random.Random, kind: str, nulls: float) -> tuple[str, bool]:
    """A field, and whether it is in quotes."""
    if rng.random() < nulls:
        return "", False
    text = KINDS[kind][0](rng)
    quoted = rng.random() < 0.2 or (kind == "text" and text == "" and rng.random() < 0.5)
    return text, quoted


def write(case: Case, rows: list[list[tuple[str, bool]]]) -> str:
    """The text of a file."""
    special = [case.delimiter, '"', "\n", "\r"]

    def shown(field: tuple[str, bool]) -> str:
        text, quoted = field
        quoted = quoted or any(mark in text for mark in special)
        return '"' + text.replace('"', '""') + '"' if quoted else text

    header = [f"c{index}" for index in range(len(case.kinds))]
    lines = [case.delimiter.join(header)] + [case.delimiter.join(map(shown, row)) for row in rows]
    # An empty last line is only one if the line before ends.
    last = case.line_end if case.last_end or not lines[-1] else ""
    return case.begin + case.line_end.join(lines) + last


def check(case: Case, binary: str, place: Path) -> str | None:
    """What differs."""
    place.mkdir(parents=True)
    return check_damaged(case, binary, place) if case.damages else check_whole(case, binary, place)


def check_whole(case: Case, binary: str, place: Path) -> str | None:
    plain, packed = place / "plain", place / "packed"
    plain.mkdir()
    packed.mkdir()
    for index in range(case.files):
        start, end = (len(case.rows) * n // case.files for n in (index, index + 1))
        text = write(case, case.rows[start:end]).encode()
        (plain / f"{index}.csv").write_bytes(text)
        name = f"{index}.{'tsv' if case.delimiter == chr(9) else 'csv'}{case.codec}"
        (packed / name).write_bytes(compressed(text, case.codec))
    args = ["select", str(packed)] + ([] if case.delimiter in ",\t" else ["--delimiter", case.delimiter])
    found = harness.run_dframe(binary, args, harness.random_way(case.rng), place / "out.parquet")
    types = [KINDS[kind][1] for kind in case.kinds]
    if found.schema.types != types:
        return f"types are {found.schema.types}, not {types}"
    expected = duckdb_rows(case, plain)
    rows = harness.rows_of(found)
    if expected != rows:
        bad = next((pair for pair in zip(expected, rows, strict=False) if pair[0] != pair[1]), None)
        return f"{' '.join(args)}: {len(expected)} rows, not {len(rows)}; expected and found: {bad}"
    return None


def compressed(text: bytes, codec: str) -> bytes:
    if codec == ".gz":
        # Two members, as `cat a.gz b.gz` makes them.
        half = len(text) // 2
        return gzip.compress(text[:half]) + gzip.compress(text[half:])
    if codec == ".bz2":
        return bz2.compress(text, compresslevel=1)
    if codec == ".xz":
        return lzma.compress(text, preset=1)
    return pa.compress(text, codec="zstd", asbytes=True) if codec == ".zst" else text


def duckdb_rows(case: Case, folder: Path) -> list[tuple]:
    """The rows by DuckDB: texts by its reader, values by its casts."""
    connection = duckdb.connect()
    connection.sql("SET TimeZone = 'UTC'; SET threads = 1")
    columns = {f"c{index}": "VARCHAR" for index in range(len(case.kinds))}
    rows: list[tuple] = []
    for path in sorted(folder.iterdir()):
        source = connection.read_csv(
            str(path), columns=columns, delimiter=case.delimiter, quotechar='"', escapechar='"', header=True,
            allow_quoted_nulls=False, null_padding=False, parallel=False, max_line_size=1 << 24, auto_detect=False,
        )  # fmt: skip
        casts = [f"CAST({name} AS {KINDS[kind][2]}) AS {name}" for name, kind in zip(columns, case.kinds, strict=True)]
        rows += harness.rows_of(source.project(", ".join(casts)).to_arrow_table())
    return rows


def check_damaged(case: Case, binary: str, place: Path) -> str | None:
    text = damaged(case)
    path = place / "damaged.csv"
    path.write_bytes(text)
    expected = records(text)
    for way in (harness.random_way(case.rng), ["--executor", "sync"]):
        output = place / "out.parquet"
        args = [binary, "select", str(path), *way, "-q", "-o", str(output)]
        run = subprocess.run(args, capture_output=True, timeout=harness.TIMEOUT, check=False)
        if run.returncode not in (0, 1) or b"panicked" in run.stderr:
            return f"status {run.returncode}: {run.stderr.decode(errors='replace')}"
        if isinstance(expected, str):
            if run.returncode == 0:
                return f"was read, but {expected}"
        elif run.returncode:
            return f"was refused: {run.stderr.decode(errors='replace')}"
        elif problem := compare_fields(expected, pq.read_table(output)):
            return problem
    return None


def damaged(case: Case) -> bytes:
    """The text with bytes put in, left out and replaced."""
    text = bytearray(write(case, case.rows[:50]).encode())
    for _ in range(case.damages):
        at = case.rng.randrange(len(text) + 1)
        mark = case.rng.choice([b",", b'"', b'""', b"\n", b"x", b"1", b"-", b"\xff", b"\0", b" "])
        cut = case.rng.choice([0, 0, 1, 2, 30])
        text[at : at + cut] = mark if case.rng.random() < 0.7 else b""
    return bytes(text)


def records(text: bytes) -> list[list[str]] | str:
    """The header and the rows, or why there are none."""
    try:
        lines = io.StringIO(text.decode("utf-8").removeprefix("\ufeff"), newline="\n")
        rows = list(csv.reader(lines, strict=True))
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except csv.Error as error:
        return str(error)
    while rows and not rows[0]:
        rows.pop(0)
    if not rows:
        return "there are no columns"
    width = len(rows[0])
    rows = [row or [""] for row in rows] if width == 1 else [row for row in rows if row]
    if any(len(row) != width for row in rows):
        return "rows have different numbers of fields"
    return rows


def compare_fields(expected: list[list[str]], found: pa.Table) -> str | None:
    """Whether the values are what the fields say."""
    if found.num_columns != len(expected[0]) or found.num_rows != len(expected) - 1:
        return f"{found.num_rows} rows of {found.num_columns}, not {len(expected) - 1} of {len(expected[0])}"
    for index, column in enumerate(found.columns):
        for row, value in enumerate(column.to_pylist()):
            if not stands_for(expected[row + 1][index], value):
                return f"row {row}, column {index} is {value!r}, not {expected[row + 1][index]!r}"
    return None


def stands_for(text: str, value: object) -> bool:
    """Whether the value is that of the field."""
    if value is None or isinstance(value, str):
        return text == (value or "")
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, float):
        return harness.comparable(float(text)) == harness.comparable(value)
    if isinstance(value, datetime.datetime):
        read = datetime.datetime.fromisoformat(text.strip())
        if value.tzinfo is not None:
            return read.astimezone(datetime.UTC) == value.astimezone(datetime.UTC)
        return read == value
    if isinstance(value, datetime.date):
        return datetime.date.fromisoformat(text.strip()) == value
    return int(text) == int(value)


if __name__ == "__main__":
    sys.exit(harness.main("Compare CSV files as dframe, DuckDB and Python's csv module read them.", random_case, check))

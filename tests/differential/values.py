"""Results of both engines, and of text formats, as plain values that can be compared.

integers, decimals -> number    dates -> days          timestamps -> nanoseconds
floats -> float                 times -> nanoseconds   strings, blobs, booleans -> themselves
"""

import datetime
import decimal
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tables import PER_SECOND

EPOCH = datetime.datetime(1970, 1, 1)


@dataclass
class Values:
    """A column: what its values are, and the values, with None for NULL."""

    kind: str
    values: list
    single: bool = False
    """Whether floats have 32 bits."""

    @property
    def text_kind(self) -> str:
        """What text is parsed as."""
        return "single" if self.single else self.kind


def of_table(table: pa.Table) -> list[Values]:
    """The columns of an arrow table."""
    return [of_column(column) for column in table.columns]


def of_column(column: pa.ChunkedArray) -> Values:
    """A column of an arrow table."""
    data_type = column.type
    if pa.types.is_dictionary(data_type):
        column, data_type = column.cast(data_type.value_type), data_type.value_type
    kind = kind_of(data_type)
    if kind == "days":
        return Values(kind, column.cast(pa.date32()).cast(pa.int32()).to_pylist())
    if kind in ("clock", "instant", "zoned"):
        factor = 10**9 // PER_SECOND[data_type.unit]
        whole = pa.int32() if pa.types.is_time32(data_type) else pa.int64()
        ticks = pa.chunked_array([chunk.view(whole) for chunk in column.chunks], whole).to_pylist()
        return Values(kind, [None if tick is None else tick * factor for tick in ticks])
    return Values(kind, column.to_pylist(), pa.types.is_float32(data_type))


def kind_of(data_type: pa.DataType) -> str:
    """What values of the type are compared as."""
    is_ = pa.types
    kinds = [
        (is_.is_integer, "number"),
        (is_.is_decimal, "number"),
        (is_.is_floating, "float"),
        (is_.is_boolean, "bool"),
        (is_.is_string, "text"),
        (is_.is_large_string, "text"),
        (is_.is_string_view, "text"),
        (is_.is_binary, "bytes"),
        (is_.is_large_binary, "bytes"),
        (is_.is_fixed_size_binary, "bytes"),
        (is_.is_binary_view, "bytes"),
        (is_.is_date, "days"),
        (is_.is_time, "clock"),
    ]
    if is_.is_timestamp(data_type):
        return "instant" if data_type.tz is None else "zoned"
    return next((kind for matches, kind in kinds if matches(data_type)), str(data_type))


def of_parquet(path: Path) -> list[Values]:
    """The columns of a file."""
    return of_table(pq.ParquetFile(path).read())


def of_csv(text: str, kinds: list[str]) -> list[Values]:
    """The columns of CSV with a header."""
    return parsed(split_csv(text)[1:], kinds)


FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",\n]*))([,\n])')


def split_csv(text: str) -> list[list[str | None]]:
    """The fields of RFC 4180: an empty field is NULL, and `""` the empty text."""
    rows, row, end = [], [], 0
    for match in FIELD.finditer(text):
        if match.start() != end:
            raise ValueError(f"no field at byte {end}: {text[end : end + 40]!r}")
        quoted, plain, separator = match.groups()
        row.append(quoted.replace('""', '"') if quoted is not None else plain or None)
        if separator == "\n":
            rows.append(row)
            row = []
        end = match.end()
    if end != len(text):
        raise ValueError(f"no field at byte {end}: {text[end : end + 40]!r}")
    return rows


def of_ndjson(text: str, kinds: list[str], names: list[str]) -> list[Values]:
    """The columns of a JSON object per line."""
    objects = [json.loads(line, parse_float=str, parse_int=str) for line in text.split("\n")[:-1]]
    return parsed([[text_of(found[name]) for name in names] for found in objects], kinds)


def text_of(value) -> str | None:
    """A JSON value as other formats write it."""
    return str(value).lower() if isinstance(value, bool) else value


def parsed(rows: list[list[str | None]], kinds: list[str]) -> list[Values]:
    """Columns from rows of texts."""
    for row in rows:
        if len(row) != len(kinds):
            raise ValueError(f"{len(row)} fields instead of {len(kinds)}: {row}")
    columns = []
    for index, kind in enumerate(kinds):
        parse = PARSERS.get(kind, str)
        found = [None if row[index] is None else parse(row[index]) for row in rows]
        columns.append(Values("float" if kind == "single" else kind, found))
    return columns


def parse_number(text: str):
    """An integer or a decimal."""
    return decimal.Decimal(text) if "." in text else int(text)


def parse_single(text: str) -> float:
    """The nearest float of 32 bits."""
    return struct.unpack("f", struct.pack("f", float(text)))[0]


def parse_bool(text: str) -> bool:
    """`true` or `false`."""
    return {"true": True, "false": False}[text]


def parse_days(text: str) -> int:
    """A date."""
    return (datetime.date.fromisoformat(text) - EPOCH.date()).days


def parse_clock(text: str) -> int:
    """A time of day."""
    whole, _, fraction = text.partition(".")
    hours, minutes, seconds = map(int, whole.split(":"))
    return (hours * 3600 + minutes * 60 + seconds) * 10**9 + int((fraction or "0").ljust(9, "0"))


def parse_instant(text: str) -> int:
    """A date, a time, and perhaps an offset."""
    day, clock = text[:10], text[11:]
    offset = 0
    for sign in "+-":
        if sign in clock:
            clock, _, zone = clock.partition(sign)
            hours, _, minutes = zone.partition(":")
            offset = (int(hours) * 60 + int(minutes or 0)) * (60 if sign == "+" else -60)
    return parse_days(day) * 86_400 * 10**9 + parse_clock(clock) - offset * 10**9


PARSERS = {
    "number": parse_number,
    "float": float,
    "single": parse_single,
    "bool": parse_bool,
    "text": str,
    "bytes": bytes.fromhex,
    "days": parse_days,
    "clock": parse_clock,
    "instant": parse_instant,
    "zoned": parse_instant,
}

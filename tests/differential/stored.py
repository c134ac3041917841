"""Tables as files of every format that dframe reads, cut into few or many.

Parquet and Arrow files keep the types of columns; CSV and NDJSON have the values of those that text can show, and the types
are declared beside them.
"""

import json
import math
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TYPED = ["parquet"] * 6 + ["arrow"] * 2
"""Formats that keep types, as often as they are chosen."""
MANY = 133
"""More files than are read at a time, or one for each of a few rows."""
TEXT_ROWS_MAX = 5000
NAMES = {
    pa.int8(): "tinyint", pa.int16(): "smallint", pa.int32(): "integer", pa.int64(): "bigint", pa.uint8(): "utinyint",
    pa.uint16(): "usmallint", pa.uint32(): "uinteger", pa.uint64(): "ubigint", pa.float64(): "double", pa.bool_(): "boolean",
    pa.date32(): "date", pa.timestamp("us"): "timestamp", pa.string(): "varchar", pa.large_string(): "varchar",
    pa.string_view(): "varchar",
}  # fmt: skip


def write(rng: random.Random, table: pa.Table, folder: Path, files: int, file_format: str) -> Path:
    """The table as files in a folder, in order."""
    folder.mkdir(parents=True)
    if table.num_rows <= TEXT_ROWS_MAX and rng.random() < 0.04:
        files = MANY
    for index in range(files):
        start, end = (table.num_rows * n // files for n in (index, index + 1))
        path = folder / f"{index:05}.{file_format}"
        WRITERS[file_format](table.slice(start, end - start), path, rng.choice([50, 700, 100_000]), rng)
    return folder


def of_text(table: pa.Table) -> list[str]:
    """The formats of text that can hold the table."""
    if not 0 < table.num_rows <= TEXT_ROWS_MAX or table.num_columns < 2 or not all(map(type_name, table.schema.types)):
        return []
    return ["csv", "csv", "ndjson", "ndjson"] if all(map(is_finite, table.columns)) else ["csv"] * 4


def type_name(data_type: pa.DataType) -> str | None:
    """As `--schema` is told a type; None if text cannot show its values."""
    if pa.types.is_decimal(data_type):
        return f"decimal({data_type.precision},{data_type.scale})"
    return NAMES.get(data_type)


def is_finite(column: pa.ChunkedArray) -> bool:
    """Whether JSON has all the values."""
    if not pa.types.is_floating(column.type):
        return True
    return all(value is None or math.isfinite(value) for value in column.to_pylist())


def declared(table: pa.Table) -> str:
    """The types of the columns, for `--schema`."""
    return ", ".join(f"{field.name}:{type_name(field.type)}" for field in table.schema)


def write_parquet(table: pa.Table, path: Path, group: int, _rng: random.Random) -> None:
    """Row groups of so many rows."""
    pq.write_table(table, path, row_group_size=group)


def write_arrow(table: pa.Table, path: Path, group: int, rng: random.Random) -> None:
    """Batches of so many rows, in the format of files or of streams."""
    options = pa.ipc.IpcWriteOptions(compression=rng.choice([None, "lz4", "zstd"]))
    kind = rng.choice([pa.ipc.new_file, pa.ipc.new_stream])
    with kind(str(path), table.schema, options=options) as writer:
        # Files have one dictionary for each column.
        writer.write_table(table.unify_dictionaries().combine_chunks(), max_chunksize=group)


def write_csv(table: pa.Table, path: Path, _group: int, _rng: random.Random) -> None:
    """Texts in quotes, so that an empty one is no NULL."""
    columns = [[field(value) for value in column.to_pylist()] for column in table.columns]
    lines = [",".join(table.column_names), *map(",".join, zip(*columns, strict=True))]
    path.write_text("\n".join(lines) + "\n", newline="\n")


def field(value: Any) -> str:
    """A value as a field of a line."""
    if value is None:
        return ""
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def write_ndjson(table: pa.Table, path: Path, _group: int, rng: random.Random) -> None:
    """An object for each row, but for the first at times without what is NULL."""
    drop = rng.random() < 0.5
    columns = [column.to_pylist() for column in table.columns]
    with path.open("w") as file:
        for number, row in enumerate(zip(*columns, strict=True)):
            pairs = zip(table.column_names, row, strict=True)
            written = {name: value for name, value in pairs if value is not None or number == 0 or not drop}
            file.write(json.dumps(written, ensure_ascii=False, default=str) + "\n")


WRITERS = {"parquet": write_parquet, "arrow": write_arrow, "csv": write_csv, "ndjson": write_ndjson}

"""Parquet files of a table, written in every way pyarrow can."""

import random
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CODECS = ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]


@dataclass(frozen=True)
class FileLayout:
    """One file: its first row, the end of each row group, and the options of the writer."""

    start: int
    group_ends: list[int]
    options: dict


def random_layout(rng: random.Random, table: pa.Table) -> list[FileLayout]:
    """Cuts the rows into files and row groups, some of them empty or of one row."""
    rows = table.num_rows
    files = rng.choice([1, 1, 1, 2, 3, rng.randint(4, 12)])
    cuts = sorted(rng.randint(0, rows) for _ in range(files - 1)) + [rows]
    layouts, start = [], 0
    same = writer_options(rng, table.schema)
    for end in cuts:
        options = same if rng.random() < 0.7 else writer_options(rng, table.schema)
        layouts.append(FileLayout(start, group_ends(rng, start, end), options))
        start = end
    return layouts


def group_ends(rng: random.Random, start: int, end: int) -> list[int]:
    """Where row groups end; the last is `end`. A file may have no row group at all."""
    rows = end - start
    if rows == 0:
        return rng.choice([[], [end], [end, end]])
    size = rng.choice([1, 7, 100, 1000, 5000, rows, rows])
    size = max(size, rows // 200, 1)
    ends = list(range(start + size, end, size)) + [end]
    if rng.random() < 0.1:
        ends.insert(rng.randrange(len(ends)), start)
    return sorted(ends)


def writer_options(rng: random.Random, schema: pa.Schema) -> dict:
    """Arguments for `ParquetWriter`."""
    dictionary = rng.choice([True, True, False])
    encoding = {} if dictionary else encodings(rng, schema)
    options = {
        "version": rng.choice(["1.0", "2.4", "2.6", "2.6"]),
        "compression": rng.choice(CODECS),
        "data_page_version": rng.choice(["1.0", "2.0"]),
        "data_page_size": rng.choice([100, 1000, 1 << 16, 1 << 20]),
        "write_batch_size": rng.choice([1, 10, 1024]),
        "write_statistics": rng.random() < 0.8,
        "write_page_index": rng.random() < 0.5,
        "write_page_checksum": rng.random() < 0.3,
        "store_decimal_as_integer": rng.random() < 0.3,
        "store_schema": True,
        "use_dictionary": dictionary,
        "bloom_filter_options": blooms(rng, schema) if rng.random() < 0.4 else None,
    }
    if any(pa.types.is_timestamp(field.type) and field.type.unit == "ns" for field in schema):
        options["version"] = "2.6"
    if dictionary:
        options["dictionary_pagesize_limit"] = rng.choice([64, 1024, 1 << 20])
    if encoding:
        options["column_encoding"] = encoding
    return options


def encodings(rng: random.Random, schema: pa.Schema) -> dict:
    """An encoding other than PLAIN for some columns."""
    chosen = {}
    for field in schema:
        choices = encodings_of(field.type)
        if choices and rng.random() < 0.7:
            chosen[field.name] = rng.choice(choices)
    return chosen


def encodings_of(data_type: pa.DataType) -> list[str]:
    """The encodings that a column of this type can have, and DuckDB reads."""
    is_ = pa.types
    if is_.is_dictionary(data_type):
        return []
    if is_.is_float32(data_type) or is_.is_float64(data_type):
        return ["BYTE_STREAM_SPLIT"]
    if is_.is_integer(data_type) or is_.is_date(data_type) or is_.is_time(data_type) or is_.is_timestamp(data_type):
        return ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]
    if is_.is_string(data_type) or is_.is_large_string(data_type) or is_.is_binary(data_type):
        return ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]
    if is_.is_boolean(data_type):
        return ["RLE"]
    return []


def blooms(rng: random.Random, schema: pa.Schema) -> dict:
    """Bloom filters on some columns."""
    fields = [field for field in schema if not pa.types.is_boolean(field.type)]
    return {field.name: {"ndv": 100, "fpp": 0.05} for field in fields if rng.random() < 0.5}


def write(table: pa.Table, layouts: list[FileLayout], folder: Path) -> list[Path]:
    """Writes the files; they are named so that their order is that of the rows."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, layout in enumerate(layouts):
        path = folder / f"{index:03}.parquet"
        with pq.ParquetWriter(path, table.schema, **layout.options) as writer:
            start = layout.start
            for end in layout.group_ends:
                writer.write_table(table.slice(start, end - start), row_group_size=max(end - start, 1))
                start = end
        paths.append(path)
    return paths


def one_file(table: pa.Table, layouts: list[FileLayout]) -> list[FileLayout]:
    """All rows in one row group of one file, written like the first file of `layouts`."""
    return [FileLayout(0, [table.num_rows], layouts[0].options)]

"""Random tables: columns of every type, with the values that break engines.

A column has a family, which is what the query grammar cares about, and an arrow type, which is what
the readers care about. Values are drawn from a pool, so that groups repeat and constants hit.
"""

import decimal
import random
from dataclasses import dataclass

import pyarrow as pa

CONTEXT = decimal.Context(prec=80)
ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Europe/Berlin"]
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True)
class Column:
    """A column of a random table: `pool` has its distinct values, without NULL."""

    name: str
    family: str
    type: pa.DataType
    pool: tuple

    @property
    def value_type(self) -> pa.DataType:
        """The type without dictionary encoding."""
        return self.type.value_type if pa.types.is_dictionary(self.type) else self.type


@dataclass(frozen=True)
class RandomTable:
    """Columns and their rows."""

    columns: list[Column]
    rows: pa.Table
    zone: str


def random_table(rng: random.Random) -> RandomTable:
    """A table of a random size and shape."""
    rows = row_count(rng)
    zone = rng.choice(ZONES)
    columns = []
    for index in range(rng.randint(3, 9)):
        columns.append(random_column(rng, f"c{index}", rows, zone))
    names = [column.name for column in columns]
    arrays = [fill(rng, column, rows) for column in columns]
    return RandomTable(columns, pa.Table.from_arrays(arrays, names=names), zone)


def row_count(rng: random.Random) -> int:
    """Mostly small, as shrinking and reading are quicker; large ones make several batches."""
    size = rng.random()
    if size < 0.05:
        return rng.choice([0, 0, 1])
    if size < 0.20:
        return rng.randint(2, 20)
    if size < 0.60:
        return rng.randint(20, 1000)
    if size < 0.97:
        return rng.randint(1000, 5000)
    return rng.randint(20_000, 50_000)


FAMILIES = {
    "int": 6,
    "uint64": 1,
    "float": 3,
    "float32": 1,
    "bool": 2,
    "text": 5,
    "bytes": 1,
    "date": 2,
    "time": 1,
    "ts": 2,
    "tstz": 1,
    "dec": 2,
}


def random_column(rng: random.Random, name: str, rows: int, zone: str) -> Column:
    """A column of a random family; `zone` is that of zoned timestamps."""
    family = rng.choices(list(FAMILIES), list(FAMILIES.values()))[0]
    size = min(rows, rng.choice([1, 2, 5, 20, 100, 1000, 5000]))
    data_type, draw = MAKERS[family](rng, zone)
    drawn = (draw() for _ in range(max(size, 1)))
    pool = tuple({repr(value): value for value in drawn}.values())
    can_encode = family in ("text", "int", "bytes", "date") and not pa.types.is_string_view(data_type)
    if rng.random() < (0.3 if family == "text" else 0.05) and can_encode:
        data_type = pa.dictionary(index_type(rng, len(pool)), data_type)
    return Column(name, family, data_type, pool)


def index_type(rng: random.Random, values: int) -> pa.DataType:
    """An integer type for dictionary keys that can count `values`."""
    if values < 100 and rng.random() < 0.5:
        return rng.choice([pa.int8(), pa.uint8()])
    return rng.choice([pa.int16(), pa.int32(), pa.int64()])


def integer(rng: random.Random, _zone: str):
    """Integers of up to 64 bits: few, small, at the limits, or anywhere."""
    data_type = rng.choice(
        [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()]
    )
    unsigned = pa.types.is_unsigned_integer(data_type)
    bits = data_type.bit_width
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    profile = rng.choices(["few", "small", "limits", "any"], [3, 5, 1, 1])[0]
    match profile:
        case "few":
            return data_type, lambda: rng.randint(0, 9)
        case "small":
            return data_type, lambda: rng.randint(max(low, -1000), min(high, 1000))
        case "limits":
            return data_type, lambda: rng.choice([low, low + 1, max(low, -1), 0, 1, high - 1, high])
        case _:
            return data_type, lambda: rng.randint(low, high)


def unsigned_64(rng: random.Random, _zone: str):
    """Integers that do not fit in BIGINT, or do."""
    if rng.random() < 0.5:
        return pa.uint64(), lambda: rng.randint(0, 1000)
    return pa.uint64(), lambda: rng.choice([0, 1, 2**63 - 1, 2**63, 2**64 - 1, rng.getrandbits(64)])


SPECIAL = [float("nan"), float("inf"), float("-inf"), -0.0, 0.0]


def floating(rng: random.Random, width: int):
    """Floats: of few digits, or of any size, with NaN, infinities and -0.0."""
    profile = rng.choices(["plain", "special", "any", "extreme"], [4, 4, 2, 1])[0]

    def plain():
        return rng.randint(-4000, 4000) / 8

    def draw():
        if profile != "plain" and rng.random() < 0.2:
            return rng.choice(SPECIAL)
        if profile == "extreme":
            return rng.choice([1e30, -1e30, 1e-30, 3.4e38, 5e-324, 1.7e308, -1.7e308][: 7 if width == 64 else 3])
        if profile == "any":
            return rng.uniform(-1, 1) * 10.0 ** rng.randint(-12, 12)
        return plain()

    return draw


def float_64(rng: random.Random, _zone: str):
    """DOUBLE."""
    return pa.float64(), floating(rng, 64)


def float_32(rng: random.Random, _zone: str):
    """FLOAT, also of two bytes: values that are exact in it."""
    if rng.random() < 0.2:
        return pa.float16(), lambda: rng.choice([*SPECIAL, rng.randint(-64, 64) / 8])
    draw = floating(rng, 32)
    single = pa.float32()
    return single, lambda: pa.scalar(draw(), single).as_py()


def boolean(rng: random.Random, _zone: str):
    """BOOLEAN."""
    return pa.bool_(), lambda: rng.random() < 0.5


WORDS = ["", "a", "A", "ab", "aé", "Ünï", "日本", "x%y", "a_b", "it's", "the quick brown fox", " pad "]
WORDS += ["0", "12", "-7"]


def text(rng: random.Random, _zone: str):
    """VARCHAR: words, generated names, long ones, and any characters."""
    data_type = rng.choice([pa.string(), pa.string(), pa.string(), pa.large_string(), pa.string_view()])
    profile = rng.choices(["words", "names", "long", "any"], [3, 4, 1, 1])[0]
    alphabet = "abcXYZ 0189é日🙂%_'\\\t\n\"|,;é\u00df"

    def draw():
        match profile:
            case "words":
                return rng.choice(WORDS)
            case "names":
                return f"name{rng.randint(0, 3000)}"
            case "long":
                return rng.choice("ab") * rng.choice([0, 1, 12, 13, 64, 255, 256, 1000, 10_000]) + rng.choice("xy")
            case _:
                return "".join(rng.choices(alphabet, k=rng.randint(0, 12)))

    return data_type, draw


def binary(rng: random.Random, _zone: str):
    """BLOB, also of a fixed size."""
    if rng.random() < 0.3:
        return pa.binary(3), lambda: rng.randbytes(3)
    data_type = rng.choice([pa.binary(), pa.large_binary()])
    return data_type, lambda: rng.randbytes(rng.choice([0, 1, 2, 8, 40]))


def date(rng: random.Random, _zone: str):
    """DATE: days around 1970, or from year 1 to 9992."""
    low, high = rng.choice([(-400, 400), (0, 20_000), (-719_000, 2_930_000)])
    return pa.date32(), lambda: rng.randint(low, high)


def time(rng: random.Random, _zone: str):
    """TIME of every unit."""
    data_type = rng.choice([pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")])
    end = 86_400 * PER_SECOND[data_type.unit]
    whole = PER_SECOND[data_type.unit] if rng.random() < 0.3 else 1
    return data_type, lambda: rng.randrange(end) // whole * whole


def ticks(rng: random.Random, unit: str, zoned: bool = False):
    """A function that draws instants in `unit`: in a few days, around 1970, in two centuries or in five.

    Zoned ones end before 2100, where dframe's table of the rules of zones ends.
    """
    per_second = PER_SECOND[unit]
    low, high = rng.choice(
        [
            (1_600_000_000, 1_600_300_000),
            (-100_000, 100_000),
            (-2_000_000_000, 4_000_000_000),
            (-8_000_000_000, 8_000_000_000),
        ]
    )
    whole = rng.choice([per_second * 3600, per_second, 1])
    high = min(high, 4_000_000_000) if zoned else high
    return lambda: rng.randint(low * per_second, high * per_second) // whole * whole


def timestamp(rng: random.Random, _zone: str):
    """TIMESTAMP of every unit."""
    unit = rng.choice(["s", "ms", "us", "us", "ns"])
    return pa.timestamp(unit), ticks(rng, unit)


def timestamp_zoned(rng: random.Random, zone: str):
    """TIMESTAMPTZ: of whole microseconds, as DuckDB has no functions of finer ones."""
    unit = rng.choice(["ms", "us", "us", "ns"])
    draw = ticks(rng, unit, zoned=True)
    whole = 1000 if unit == "ns" else 1
    return pa.timestamp(unit, tz=zone), lambda: draw() // whole * whole


def decimals(rng: random.Random, _zone: str):
    """DECIMAL of 1 to 38 digits, kept in 128 or 256 bits."""
    precision = rng.choice([1, 4, 9, 10, 18, 19, 28, 38])
    scale = rng.choice([0, 1, 2, min(precision, 9), precision // 2])
    scale = min(scale, precision)
    data_type = rng.choice([pa.decimal128, pa.decimal128, pa.decimal256])(precision, scale)
    digits = precision if rng.random() < 0.5 else min(precision, 5)

    def draw():
        unscaled = rng.randint(-(10**digits) + 1, 10**digits - 1)
        return decimal.Decimal(unscaled).scaleb(-scale, CONTEXT)

    return data_type, draw


MAKERS = {
    "int": integer,
    "uint64": unsigned_64,
    "float": float_64,
    "float32": float_32,
    "bool": boolean,
    "text": text,
    "bytes": binary,
    "date": date,
    "time": time,
    "ts": timestamp,
    "tstz": timestamp_zoned,
    "dec": decimals,
}


def fill(rng: random.Random, column: Column, rows: int) -> pa.ChunkedArray:
    """The values of the rows: evenly drawn, 90 % the same, sorted or unlike each other; with NULLs."""
    pool = column.pool
    shape = rng.choice(["even", "even", "skewed", "sorted", "cycle"])
    weights = [9 * max(len(pool) - 1, 1)] + [1] * (len(pool) - 1) if shape == "skewed" else None
    values = rng.choices(pool, weights, k=rows)
    if shape == "sorted":
        values.sort(key=lambda value: (value != value, value))
    elif shape == "cycle":
        values = [pool[row % len(pool)] for row in range(rows)]
    add_nulls(rng, values)
    array = pa.array(values, column.value_type, from_pandas=False)
    if pa.types.is_dictionary(column.type):
        array = array.dictionary_encode().cast(column.type)
    return pa.chunked_array([array])


def add_nulls(rng: random.Random, values: list) -> None:
    """None, some, many, in runs, or all."""
    rows = len(values)
    match rng.choices(["none", "some", "many", "run", "all"], [8, 6, 2, 2, 1])[0]:
        case "some":
            places = rng.sample(range(rows), rows // 10)
        case "many":
            places = rng.sample(range(rows), rows * 6 // 10)
        case "run":
            start = rng.randint(0, rows)
            places = range(start, min(rows, start + rows // 2))
        case "all":
            places = range(rows)
        case _:
            return
    for place in places:
        values[place] = None

"""Random scalar expressions that dframe and DuckDB accept and mean the same by.

An expression is written twice, as the engines' types differ where DuckDB's are narrow: dframe computes
integers as BIGINT and reads `1.5` as DOUBLE, so DuckDB's text says so with casts.
"""

import datetime
import random
from dataclasses import dataclass

import pyarrow as pa

from functions import CLOCK_PARTS, CONDITIONS, DATE_PARTS, DATE_UNITS, OF_FAMILY, PARTS, UNITS, Pattern
from tables import PER_SECOND, Column, RandomTable

LITERAL_MAX = 1000
"""Characters of a constant, as a command line has no room for many long ones."""


@dataclass(frozen=True)
class Expr:
    """An expression in both dialects."""

    dframe: str
    duck: str
    family: str
    odd: bool = False
    """Whether DuckDB treats it otherwise: instants finer than microseconds are rounded to them when they
    are truncated or intervals are added, and decimals without digits before the point have no zero there as text."""

    def wide(self) -> "Expr":
        """In the type that dframe computes in, or, for zoned instants, in the one DuckDB has functions of."""
        if self.family == "int":
            return Expr(self.dframe, f"{self.duck}::BIGINT", "int")
        if self.family == "tstz":
            return Expr(self.dframe, f"{self.duck}::TIMESTAMPTZ", "tstz")
        if self.family == "float32":
            return Expr(f"{self.dframe}::DOUBLE", f"{self.duck}::DOUBLE", "float")
        return self


def template(family: str, pattern: str, *args: Expr) -> Expr:
    """`pattern` with `{0}`, `{1}`... replaced by the arguments in each dialect."""
    dframe = pattern.format(*(arg.dframe for arg in args))
    duck = pattern.format(*(arg.duck for arg in args))
    return Expr(dframe, duck, family)


def column(source: Column) -> Expr:
    """The column itself."""
    fine = source.family == "ts" and source.type.unit == "ns"
    pointed = source.family == "dec" and source.type.precision == source.type.scale
    return Expr(source.name, source.name, source.family, fine or pointed)


class Grammar:
    """Expressions over the columns of a table."""

    def __init__(self, rng: random.Random, table: RandomTable):
        self.rng = rng
        self.columns = table.columns

    def pick(self, *families: str) -> Column | None:
        """A column of one of the families, if there is one; of any if none is given."""
        found = [column for column in self.columns if not families or column.family in families]
        return self.rng.choice(found) if found else None

    def alike(self, source: Column) -> Column:
        """A column that can be compared with `source`: DuckDB does not compare times of two precisions."""
        strict = source.family in ("time", "tstz")
        others = [column for column in self.columns if column.family == source.family]
        return self.rng.choice([other for other in others if not strict or other.type == source.type])

    def scalar(self, *families: str) -> Expr:
        """A column, or something computed from one."""
        source = self.pick(*families) or self.pick()
        plain = column(source)
        if self.rng.random() < 0.35:
            return plain
        return self.computed(plain, source)

    def computed(self, plain: Expr, source: Column) -> Expr:
        """Something computed from a column."""
        if self.rng.random() < 0.12:
            return self.conditional(plain, source)
        if source.family == "int" and self.rng.random() < 0.25:
            return self.of_ints(plain)
        patterns = [pattern for pattern in OF_FAMILY.get(source.family, []) if not (pattern.plain and plain.odd)]
        return self.applied(self.rng.choice(patterns), plain.wide()) if patterns else plain

    def applied(self, pattern: Pattern, x: Expr) -> Expr:
        """The pattern with an argument, and with a random choice of whatever else it names."""
        text = pattern.text.format(
            "{0}",
            k=self.rng.randint(1, 9),
            unit=self.rng.choice(UNITS),
            date_unit=self.rng.choice(DATE_UNITS),
            part=self.rng.choice(PARTS),
            date_part=self.rng.choice(DATE_PARTS),
            clock_part=self.rng.choice(CLOCK_PARTS),
        )
        family = pattern.family
        if family == "part":
            family = "float" if "epoch" in text else "int"
        return template(family, text, x)

    def of_ints(self, x: Expr) -> Expr:
        """Functions that keep the width of integers, and arithmetic on two columns."""
        if self.rng.random() < 0.2:
            return template("int", self.rng.choice(["abs({0})", "sign({0})"]), x)
        op = self.rng.choice(["+", "-", "*", "+", "-", "*", "//", "%"])
        return template("int", f"({{0}} {op} {{1}})", x.wide(), column(self.pick("int")).wide())

    def conditional(self, plain: Expr, source: Column) -> Expr:
        """CASE, COALESCE or NULLIF, with constants of the column's type."""
        constant = literal(self.rng, source)
        plain = plain.wide() if source.family == "float32" else plain
        match self.rng.randint(0, 3):
            case 0:
                condition = self.comparison()
                pattern = "CASE WHEN {1} THEN {0} ELSE {2} END"
                return template(plain.family, pattern, plain, condition, constant)
            case 1:
                return template(plain.family, "coalesce({0}, {1})", plain, constant)
            case 2 if source.family not in ("float32", "bytes"):
                pattern = self.rng.choice(["greatest({0}, {1})", "least({0}, {1}, {2})"])
                other = column(self.alike(source))
                return template(plain.family, pattern, plain, constant, other)
            case _:
                return template(plain.family, "nullif({0}, {1})", plain, constant)

    def predicate(self, depth: int = 2) -> Expr:
        """A condition: comparisons under AND, OR and NOT."""
        choice = self.rng.random()
        if depth == 0 or choice < 0.5:
            return self.comparison()
        if choice < 0.6:
            return template("bool", "NOT ({0})", self.predicate(depth - 1))
        op = self.rng.choice(["AND", "AND", "OR"])
        return template("bool", f"({{0}} {op} {{1}})", self.predicate(depth - 1), self.predicate(depth - 1))

    def comparison(self) -> Expr:
        """A condition on one or two columns that cannot fail."""
        source = self.pick()
        x = column(source)
        match self.rng.choices(
            ["compare", "null", "in", "between", "distinct", "columns", "mixed", "special"], [6, 2, 3, 3, 1, 1, 1, 4]
        )[0]:
            case "null":
                return template("bool", self.rng.choice(["{0} IS NULL", "{0} IS NOT NULL"]), x)
            case "in":
                count = self.rng.choice([1, 2, 5, 30])
                items = [literal(self.rng, source) for _ in range(count)]
                if self.rng.random() < 0.05:
                    items[-1] = Expr("NULL", "NULL", source.family)
                listed = ", ".join(f"{{{index + 1}}}" for index in range(count))
                return template("bool", f"{{0}} {self.rng.choice(['IN', 'IN', 'NOT IN'])} ({listed})", x, *items)
            case "between":
                return template(
                    "bool", "{0} BETWEEN {1} AND {2}", x, literal(self.rng, source), literal(self.rng, source)
                )
            case "distinct":
                return template("bool", "{0} IS DISTINCT FROM {1}", x, literal(self.rng, source))
            case "columns":
                other = column(self.alike(source))
                return template("bool", f"{{0}} {self.operator()} {{1}}", x, other)
            case "mixed":
                return self.mixed_comparison()
            case "special":
                return self.special_comparison(x, source)
            case _:
                return template("bool", f"{{0}} {self.operator()} {{1}}", x, literal(self.rng, source))

    def mixed_comparison(self) -> Expr:
        """Two columns of types that meet at a third."""
        families = self.rng.choice(
            [("int", "uint64", "float"), ("int", "uint64"), ("int", "dec", "float"), ("date", "ts"), ("bytes",)]
        )
        one, other = self.pick(*families), self.pick(*families)
        if one is None:
            return self.comparison()
        return template("bool", f"{{0}} {self.operator()} {{1}}", column(one), column(other))

    def operator(self) -> str:
        """A comparison."""
        return self.rng.choice(["=", "<>", "<", "<=", ">", ">="])

    def special_comparison(self, x: Expr, source: Column) -> Expr:
        """Conditions that only some types have."""
        pattern = self.rng.choice(CONDITIONS.get(source.family, ["{0} IS NOT NULL"]))
        pattern = pattern.format("{0}", k=self.rng.randint(1, 9), op=self.operator())
        return template("bool", pattern, x.wide() if source.family == "tstz" else x)


def literal(rng: random.Random, source: Column) -> Expr:
    """A constant of the type of a column, mostly one of its values."""
    value = rng.choice(source.pool)
    if source.family == "text" and len(value) > LITERAL_MAX:
        value = value[:20]
    dframe, duck = constant(source.family, source.value_type, value)
    return Expr(dframe, duck, source.family)


def constant(family: str, data_type: pa.DataType, value) -> tuple[str, str]:
    """A value in both dialects."""
    match family:
        case "int" | "uint64" | "dec":
            both = f"{value:f}" if family == "dec" else str(value)
        case "float" | "float32":
            both = float_text(value)
        case "bool":
            both = str(value).lower()
        case "text":
            both = "'" + value.replace("'", "''") + "'"
        case "bytes":
            return f"X'{value.hex()}'", "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::BLOB"
        case "date":
            return day_text(value), day_text(value)
        case "time":
            both = f"'{clock_text(value, PER_SECOND[data_type.unit])}'::TIME"
            return both, both + "_NS" * (data_type.unit == "ns")
        case "tstz":
            both = instant_text(value, data_type)
            return both, both + "::TIMESTAMPTZ_NS" * (data_type.unit == "ns")
        case _:
            both = instant_text(value, data_type)
    return both, both


def float_text(value: float) -> str:
    """A DOUBLE: with an exponent, as DuckDB reads `1.5` as a DECIMAL."""
    if value != value or value in (float("inf"), float("-inf")):
        return f"'{value}'::DOUBLE"
    text = repr(value)
    return text if "e" in text else text + "e0"


def day_text(days: int) -> str:
    """A DATE."""
    return f"DATE '{datetime.date(1970, 1, 1) + datetime.timedelta(days)}'"


def clock_text(ticks: int, per_second: int) -> str:
    """The time of day, to the microsecond."""
    seconds, fraction = divmod(ticks, per_second)
    micros = fraction * 10**6 // per_second
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}"


def instant_text(ticks: int, data_type: pa.DataType) -> str:
    """A TIMESTAMP of the column's precision, or a TIMESTAMPTZ."""
    per_second = PER_SECOND[data_type.unit]
    seconds, fraction = divmod(ticks, per_second)
    day = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    if data_type.tz is not None:
        return f"TIMESTAMPTZ '{day}.{fraction * 10**6 // per_second:06}+00'"
    if data_type.unit == "ns":
        return f"'{day}.{fraction:09}'::TIMESTAMP_NS"
    return f"TIMESTAMP '{day}.{fraction * 10**6 // per_second:06}'"

"""Random scalar expressions that dframe and DuckDB accept and mean the same by.

An expression is written twice, as the engines' types differ where DuckDB's are narrow: dframe computes
integers as BIGINT and reads `1.5` as DOUBLE, so DuckDB's text says so with casts.
"""

import datetime
import random
from dataclasses import dataclass

import pyarrow as pa

from tables import PER_SECOND, Column, RandomTable

NUMBERS = ("int", "float", "dec")
PARTS_OF_DATES = ["year", "month", "day", "quarter", "week", "dow", "isodow", "doy", "decade", "century", "isoyear", "yearweek", "epoch"]
PARTS_OF_TIMES = ["hour", "minute", "second", "millisecond", "microsecond", "epoch"]
UNITS_OF_DATES = ["day", "week", "month", "quarter", "year", "decade", "century"]
UNITS_OF_TIMES = ["microsecond", "millisecond", "second", "minute", "hour"]


@dataclass(frozen=True)
class Expr:
    """An expression in both dialects. `sized` numbers cannot overflow when computed with once more."""

    dframe: str
    duck: str
    family: str
    sized: bool = True
    odd: bool = False
    """Whether DuckDB treats it otherwise: instants finer than microseconds lose that when intervals are
    added, and decimals without digits before the point have no zero there as text."""

    def wide(self) -> "Expr":
        """In the type that dframe computes in: BIGINT, DOUBLE; and zoned instants in the one DuckDB has functions of."""
        if self.family == "int":
            return Expr(self.dframe, f"{self.duck}::BIGINT", "int", self.sized)
        if self.family == "tstz":
            return Expr(self.dframe, f"{self.duck}::TIMESTAMPTZ", "tstz")
        if self.family == "float32":
            return Expr(f"{self.dframe}::DOUBLE", f"{self.duck}::DOUBLE", "float", self.sized)
        return self


def template(family: str, pattern: str, *args: Expr, sized: bool = False) -> Expr:
    """`pattern` with `{0}`, `{1}`... replaced by the arguments in each dialect."""
    dframe = pattern.format(*(arg.dframe for arg in args))
    duck = pattern.format(*(arg.duck for arg in args))
    return Expr(dframe, duck, family, sized)


def column(source: Column) -> Expr:
    """The column itself."""
    fine = source.family == "ts" and source.type.unit == "ns"
    pointed = source.family == "dec" and source.type.precision == source.type.scale
    return Expr(source.name, source.name, source.family, source.small, fine or pointed)


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
        makers = {
            "int": self.of_int, "float": self.of_float, "float32": self.of_float, "text": self.of_text,
            "date": self.of_date, "ts": self.of_instant, "tstz": self.of_instant, "dec": self.of_decimal,
            "bool": self.of_bool, "time": self.of_time, "uint64": self.of_uint64,
        }  # fmt: skip
        if self.rng.random() < 0.12:
            return self.conditional(plain, source)
        maker = makers.get(source.family)
        return maker(plain) if maker else plain

    def conditional(self, plain: Expr, source: Column) -> Expr:
        """CASE, COALESCE or NULLIF, with constants of the column's type."""
        constant = literal(self.rng, source)
        plain = plain.wide() if source.family == "float32" else plain
        match self.rng.randint(0, 2):
            case 0:
                condition = self.comparison()
                pattern = "CASE WHEN {1} THEN {0} ELSE {2} END"
                return template(plain.family, pattern, plain, condition, constant, sized=plain.sized)
            case 1:
                return template(plain.family, "coalesce({0}, {1})", plain, constant, sized=plain.sized)
            case _:
                return template(plain.family, "nullif({0}, {1})", plain, constant, sized=plain.sized)

    def of_int(self, x: Expr) -> Expr:
        """Arithmetic, casts, and functions of whole numbers."""
        k = self.rng.randint(1, 9)
        if self.rng.random() < 0.05:
            return template("int", self.rng.choice(["abs({0})", "sign({0})"]), x)
        x = x.wide()
        pattern, family, sized = self.rng.choice([
            (f"({{0}} + {k})", "int", False), (f"({{0}} - {k})", "int", False), (f"({{0}} * {k})", "int", False),
            (f"({{0}} * -{k})", "int", False), (f"({{0}} // {k})", "int", x.sized), (f"({{0}} % {k})", "int", True),
            ("-({0})", "int", x.sized), (f"({{0}} / {k})", "float", True),
            ("({0})::DOUBLE", "float", True), ("({0})::VARCHAR", "text", True),
            ("({0})::DECIMAL(38, 2)", "dec", x.sized), ("({0} > 0)", "bool", True), ("({0})::INTEGER", "int", x.sized),
            ("TRY_CAST({0} AS TINYINT)", "int", True), ("{0} * {0}", "int", False), ("({0})::BOOLEAN", "bool", True),
        ])  # fmt: skip
        other = self.pick("int")
        if self.rng.random() < 0.25 and other:
            op = self.rng.choice(["+", "-", "*"])
            return template("int", f"({{0}} {op} {{1}})", x, column(other).wide())
        return template(family, pattern, x, sized=sized)

    def of_uint64(self, x: Expr) -> Expr:
        """Little, as BIGINT does not hold it."""
        pattern, family = self.rng.choice([
            ("({0} % 7)", "uint64"), ("({0} // 3)", "uint64"), ("({0})::VARCHAR", "text"), ("({0} > 5)", "bool"),
            ("TRY_CAST({0} AS BIGINT)", "int"), ("({0})::DOUBLE", "float"), ("({0} + 1)", "uint64"),
        ])  # fmt: skip
        return template(family, pattern, x)

    def of_float(self, x: Expr) -> Expr:
        """Arithmetic and rounding."""
        x = x.wide()
        pattern, family = self.rng.choice([
            ("({0} + 1.5e0)", "float"), ("({0} * 2.5e0)", "float"), ("({0} / 4)", "float"), ("-({0})", "float"),
            ("abs({0})", "float"), ("floor({0})", "float"), ("ceil({0})", "float"), ("round({0}, 1)", "float"),
            ("sqrt(abs({0}))", "float"), ("trunc({0})", "float"), ("sign({0})", "int"), ("isnan({0})", "bool"),
            ("TRY_CAST({0} AS INTEGER)", "int"), ("({0} > 0)", "bool"), ("({0} - {0})", "float"), ("({0})::VARCHAR", "text"),
            ("isfinite({0})", "bool"), ("({0} / 0)", "float"), ("({0} % 3)", "float"), ("round({0})", "float"),
        ])  # fmt: skip
        return template(family, pattern, x, sized=x.sized)

    def of_decimal(self, x: Expr) -> Expr:
        """Arithmetic and rounding."""
        pattern, family, sized = self.rng.choice([
            ("({0} + 1)", "dec", False), ("({0} * 3)", "dec", False), ("({0} - 0.5)", "dec", False), ("-({0})", "dec", x.sized),
            ("abs({0})", "dec", x.sized), ("({0})::DOUBLE", "float", True), ("round({0})", "dec", x.sized), ("floor({0})", "dec", x.sized),
            ("({0} / 4)" if x.odd else "({0})::VARCHAR", "float" if x.odd else "text", True), ("({0} > 1.5)", "bool", True), ("({0} % 7)", "dec", True),
            ("TRY_CAST({0} AS BIGINT)", "int", False), ("TRY_CAST({0} AS DECIMAL(9, 2))", "dec", True), ("round({0}, 1)", "dec", x.sized),
        ])  # fmt: skip
        return template(family, pattern, x, sized=sized)

    def of_text(self, x: Expr) -> Expr:
        """Functions of strings."""
        k = self.rng.randint(1, 5)
        pattern, family = self.rng.choice([
            ("upper({0})", "text"), ("lower({0})", "text"), ("length({0})", "int"), ("strlen({0})", "int"),
            (f"substr({{0}}, {k})", "text"), (f"substr({{0}}, {k}, {k})", "text"), (f"substr({{0}}, -{k}, 2)", "text"),
            (f"left({{0}}, {k})", "text"), (f"right({{0}}, {k})", "text"), (f"left({{0}}, -{k})", "text"), ("trim({0})", "text"),
            ("replace({0}, 'a', 'bb')", "text"), ("({0} || '-' || {0})", "text"), ("concat({0}, '/', 1)", "text"),
            ("starts_with({0}, 'name1')", "bool"), ("contains({0}, 'e')", "bool"), ("strpos({0}, 'b')", "int"),
            ("lpad({0}, 4, '*')", "text"), ("split_part({0}, 'e', 2)", "text"), ("TRY_CAST({0} AS INTEGER)", "int"),
            ("regexp_matches({0}, '^n.*[0-3]$')", "bool"), ("regexp_extract({0}, '[0-9]+')", "text"), ("ascii({0})", "int"),
            ("TRY_CAST({0} AS DOUBLE)", "float"), ("ltrim({0}, 'na')", "text"), ("({0} = '')", "bool"), ("repeat({0}, 2)", "text"),
        ])  # fmt: skip
        return template(family, pattern, x)

    def of_date(self, x: Expr) -> Expr:
        """The calendar."""
        k = self.rng.randint(1, 40)
        pattern, family = self.rng.choice([
            (f"date_trunc('{self.rng.choice(UNITS_OF_DATES)}', {{0}})", "ts"), (f"({{0}} + {k})", "date"), (f"({{0}} - {k})", "date"),
            (f"extract('{self.rng.choice(PARTS_OF_DATES)}' FROM {{0}})", "part"), ("({0})::VARCHAR", "text"),
            ("({0})::TIMESTAMP", "ts"), ("last_day({0})", "date"), ("dayname({0})", "text"), ("({0} - DATE '2000-01-01')", "int"),
            (f"({{0}} + INTERVAL {k} MONTH)", "ts"), ("strftime({0}, '%Y/%m')", "text"),
        ])  # fmt: skip
        return part(pattern, family, x)

    def of_instant(self, x: Expr) -> Expr:
        """The calendar and the clock, in the zone of the session."""
        unit = self.rng.choice(UNITS_OF_DATES + UNITS_OF_TIMES)
        chosen = self.rng.choice(PARTS_OF_DATES + PARTS_OF_TIMES)
        x = x.wide()
        k = self.rng.randint(1, 40)
        choices = [
            (f"date_trunc('{unit}', {{0}})", x.family), (f"date_trunc('{unit}', {{0}})", x.family),
            (f"extract('{chosen}' FROM {{0}})", "part"), ("({0})::DATE", "date"),
        ]  # fmt: skip
        if not x.odd:
            choices += [(f"({{0}} + INTERVAL {k} HOUR)", x.family), (f"({{0}} - INTERVAL {k} DAY)", x.family)]
        if x.family == "ts":
            choices += [("({0})::VARCHAR", "text"), ("strftime({0}, '%Y-%m-%d %H:%M:%S')", "text"), ("last_day({0})", "date")]
        pattern, family = self.rng.choice(choices)
        return part(pattern, family, x)

    def of_time(self, x: Expr) -> Expr:
        """The clock."""
        chosen = self.rng.choice(PARTS_OF_TIMES)
        return part(f"extract('{chosen}' FROM {{0}})", "part", x)

    def of_bool(self, x: Expr) -> Expr:
        """Logic and casts."""
        pattern, family = self.rng.choice([("(NOT {0})", "bool"), ("({0})::INTEGER", "int"), ("({0} IS NOT TRUE)", "bool"), ("({0})::VARCHAR", "text")])
        return template(family, pattern, x)

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
        match self.rng.choices(["compare", "null", "in", "between", "distinct", "columns", "special"], [6, 2, 3, 3, 1, 1, 4])[0]:
            case "null":
                return template("bool", self.rng.choice(["{0} IS NULL", "{0} IS NOT NULL"]), x)
            case "in":
                count = self.rng.choice([1, 2, 5, 30])
                items = [literal(self.rng, source) for _ in range(count)]
                listed = ", ".join(f"{{{index + 1}}}" for index in range(count))
                return template("bool", f"{{0}} {self.rng.choice(['IN', 'IN', 'NOT IN'])} ({listed})", x, *items)
            case "between":
                return template("bool", "{0} BETWEEN {1} AND {2}", x, literal(self.rng, source), literal(self.rng, source))
            case "distinct":
                return template("bool", "{0} IS DISTINCT FROM {1}", x, literal(self.rng, source))
            case "columns":
                other = column(self.alike(source))
                return template("bool", f"{{0}} {self.operator()} {{1}}", x, other)
            case "special":
                return self.special_comparison(x, source)
            case _:
                return template("bool", f"{{0}} {self.operator()} {{1}}", x, literal(self.rng, source))

    def operator(self) -> str:
        """A comparison."""
        return self.rng.choice(["=", "<>", "<", "<=", ">", ">="])

    def special_comparison(self, x: Expr, source: Column) -> Expr:
        """Conditions that only some types have."""
        k = self.rng.randint(-5, 5)
        pattern = {
            "int": f"{{0}} % 3 {self.operator()} 1", "float": f"{{0}} {self.operator()} {k}", "bool": "{0}",
            "text": self.rng.choice(["{0} LIKE '%a%'", "{0} LIKE 'name_2%'", "{0} ILIKE 'N%1'", "{0} NOT LIKE '%'", "length({0}) > 4", "{0} LIKE 'name%'"]),
            "date": f"extract('month' FROM {{0}}) {self.operator()} 6", "ts": f"extract('hour' FROM {{0}}) {self.operator()} 12",
            "tstz": f"extract('day' FROM {{1}}) {self.operator()} 15", "dec": f"{{0}} {self.operator()} {k}.5", "uint64": f"{{0}} {self.operator()} {k}",
            "float32": f"{{0}} {self.operator()} {k}.25e0",
        }.get(source.family, "{0} IS NOT NULL")  # fmt: skip
        return template("bool", pattern, x, x.wide())


def part(pattern: str, family: str, x: Expr) -> Expr:
    """Parts of instants are BIGINT, but for the epoch."""
    if family == "part":
        family = "float" if "epoch" in pattern else "int"
    return template(family, pattern, x)


def literal(rng: random.Random, source: Column) -> Expr:
    """A constant of the type of a column, mostly one of its values."""
    value = rng.choice(source.pool)
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

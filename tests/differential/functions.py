"""What can be computed from a column of each family: patterns that mean the same in both dialects.

In a pattern `{0}` is the column; `{k}` a small number, `{unit}` and `{part}` names of units of time, and
`{date_unit}` and `{date_part}` those that dates have.
"""

from typing import NamedTuple

DATE_UNITS = ["day", "week", "month", "quarter", "year", "decade", "century"]
UNITS = [*DATE_UNITS, "microsecond", "millisecond", "second", "minute", "hour"]
CLOCK_PARTS = ["hour", "minute", "second", "millisecond", "microsecond", "epoch"]
DATE_PARTS = ["year", "month", "day", "quarter", "week", "dow", "isodow", "doy"]
DATE_PARTS += ["decade", "century", "isoyear", "yearweek", "epoch"]
PARTS = DATE_PARTS + CLOCK_PARTS


class Pattern(NamedTuple):
    """A pattern, and the family of its result."""

    text: str
    family: str
    plain: bool = False
    """Whether it is not for columns that are odd: see `Expr.odd`."""


INT = [
    Pattern("({0} + {k})", "int"),
    Pattern("({0} - {k})", "int"),
    Pattern("({0} * {k})", "int"),
    Pattern("({0} * -{k})", "int"),
    Pattern("{0} * {0}", "int"),
    Pattern("({0} // {k})", "int"),
    Pattern("({0} % {k})", "int"),
    Pattern("-({0})", "int"),
    Pattern("({0} / {k})", "float"),
    Pattern("({0} > 0)", "bool"),
    Pattern("({0})::DOUBLE", "float"),
    Pattern("({0})::VARCHAR", "text"),
    Pattern("({0})::BOOLEAN", "bool"),
    Pattern("({0})::INTEGER", "int"),
    Pattern("({0})::UTINYINT", "int"),
    Pattern("({0})::DECIMAL(38, 2)", "dec"),
    Pattern("TRY_CAST({0} AS TINYINT)", "int"),
]

UINT64 = [
    Pattern("({0} + 1)", "uint64"),
    Pattern("({0} // 3)", "uint64"),
    Pattern("({0} % 7)", "uint64"),
    Pattern("({0} > 5)", "bool"),
    Pattern("({0})::DOUBLE", "float"),
    Pattern("({0})::VARCHAR", "text"),
    Pattern("TRY_CAST({0} AS BIGINT)", "int"),
]

FLOAT = [
    Pattern("({0} + 1.5e0)", "float"),
    Pattern("({0} - {0})", "float"),
    Pattern("({0} * 2.5e0)", "float"),
    Pattern("({0} / 4)", "float"),
    Pattern("({0} / 0)", "float"),
    Pattern("({0} % 3)", "float"),
    Pattern("-({0})", "float"),
    Pattern("({0} > 0)", "bool"),
    Pattern("abs({0})", "float"),
    Pattern("ceil({0})", "float"),
    Pattern("floor({0})", "float"),
    Pattern("isfinite({0})", "bool"),
    Pattern("isnan({0})", "bool"),
    Pattern("round({0})", "float"),
    Pattern("round({0}, 1)", "float"),
    Pattern("sign({0})", "int"),
    Pattern("sqrt(abs({0}))", "float"),
    Pattern("trunc({0})", "float"),
    Pattern("({0})::VARCHAR", "text"),
    Pattern("TRY_CAST({0} AS INTEGER)", "int"),
]

DECIMAL = [
    Pattern("({0} + 1)", "dec"),
    Pattern("({0} - 0.5)", "dec"),
    Pattern("({0} * 3)", "dec"),
    Pattern("({0} / 4)", "float"),
    Pattern("({0} % 7)", "dec"),
    Pattern("-({0})", "dec"),
    Pattern("({0} > 1.5)", "bool"),
    Pattern("abs({0})", "dec"),
    Pattern("floor({0})", "dec"),
    Pattern("round({0})", "dec"),
    Pattern("round({0}, 1)", "dec"),
    Pattern("({0})::DOUBLE", "float"),
    Pattern("({0})::VARCHAR", "text", plain=True),
    Pattern("TRY_CAST({0} AS BIGINT)", "int"),
    Pattern("TRY_CAST({0} AS DECIMAL(9, 2))", "dec"),
]

TEXT = [
    Pattern("({0} || '-' || {0})", "text"),
    Pattern("({0} = '')", "bool"),
    Pattern("ascii({0})", "int"),
    Pattern("concat({0}, '/', 1)", "text"),
    Pattern("contains({0}, 'e')", "bool"),
    Pattern("left({0}, -{k})", "text"),
    Pattern("left({0}, {k})", "text"),
    Pattern("length({0})", "int"),
    Pattern("lower({0})", "text"),
    Pattern("lpad({0}, 4, '*')", "text"),
    Pattern("ltrim({0}, 'na')", "text"),
    Pattern("regexp_extract({0}, '[0-9]+')", "text"),
    Pattern("regexp_matches({0}, '^n.*[0-3]$')", "bool"),
    Pattern("repeat({0}, 2)", "text"),
    Pattern("replace({0}, 'a', 'bb')", "text"),
    Pattern("right({0}, {k})", "text"),
    Pattern("split_part({0}, 'e', 2)", "text"),
    Pattern("starts_with({0}, 'name1')", "bool"),
    Pattern("strlen({0})", "int"),
    Pattern("strpos({0}, 'b')", "int"),
    Pattern("substr({0}, -{k}, 2)", "text"),
    Pattern("substr({0}, {k})", "text"),
    Pattern("substr({0}, {k}, {k})", "text"),
    Pattern("trim({0})", "text"),
    Pattern("upper({0})", "text"),
    Pattern("({0})::INTEGER", "int"),
    Pattern("TRY_CAST({0} AS DOUBLE)", "float"),
    Pattern("TRY_CAST({0} AS INTEGER)", "int"),
]

DATE = [
    Pattern("({0} + {k})", "date"),
    Pattern("({0} - {k})", "date"),
    Pattern("({0} + INTERVAL {k} MONTH)", "ts"),
    Pattern("({0} - DATE '2000-01-01')", "int"),
    Pattern("date_diff('{date_unit}', DATE '1999-12-31', {0})", "int"),
    Pattern("date_trunc('{date_unit}', {0})", "ts"),
    Pattern("dayname({0})", "text"),
    Pattern("extract('{date_part}' FROM {0})", "part"),
    Pattern("last_day({0})", "date"),
    Pattern("strftime({0}, '%Y/%m')", "text"),
    Pattern("({0})::TIMESTAMP", "ts"),
    Pattern("({0})::VARCHAR", "text"),
]

ZONED = [
    Pattern("({0} + INTERVAL {k} HOUR)", "tstz"),
    Pattern("({0} + INTERVAL {k} MONTH)", "tstz"),
    Pattern("({0} - INTERVAL {k} DAY)", "tstz"),
    Pattern("date_trunc('{unit}', {0})", "tstz"),
    Pattern("extract('{part}' FROM {0})", "part"),
    Pattern("({0})::DATE", "date"),
]

TIMESTAMP = [
    Pattern("({0} + INTERVAL {k} HOUR)", "ts", plain=True),
    Pattern("({0} - INTERVAL {k} DAY)", "ts", plain=True),
    Pattern("date_trunc('{unit}', {0})", "ts", plain=True),
    Pattern("extract('{part}' FROM {0})", "part"),
    Pattern("last_day({0})", "date"),
    Pattern("strftime({0}, '%Y-%m-%d %H:%M:%S')", "text"),
    Pattern("({0})::DATE", "date"),
    Pattern("({0})::VARCHAR", "text"),
]

TIME = [Pattern("extract('{clock_part}' FROM {0})", "part")]

BOOLEAN = [
    Pattern("(NOT {0})", "bool"),
    Pattern("({0} IS NOT TRUE)", "bool"),
    Pattern("({0})::INTEGER", "int"),
    Pattern("({0})::VARCHAR", "text"),
]

OF_FAMILY = {
    "int": INT,
    "uint64": UINT64,
    "float": FLOAT,
    "float32": FLOAT,
    "dec": DECIMAL,
    "text": TEXT,
    "date": DATE,
    "ts": TIMESTAMP,
    "tstz": ZONED,
    "time": TIME,
    "bool": BOOLEAN,
}

CONDITIONS = {
    "int": ["{0} % 3 {op} 1", "{0} {op} -{k}"],
    "uint64": ["{0} {op} {k}"],
    "float": ["{0} {op} {k}", "{0} {op} -{k}"],
    "float32": ["{0} {op} {k}.25e0"],
    "dec": ["{0} {op} {k}.5", "{0} {op} -0.{k}"],
    "text": [
        "{0} LIKE '%a%'",
        "{0} LIKE 'name%'",
        "{0} LIKE 'name_2%'",
        "{0} NOT LIKE '%'",
        "{0} ILIKE 'N%1'",
        "length({0}) {op} 4",
    ],
    "date": ["extract('month' FROM {0}) {op} 6"],
    "ts": ["extract('hour' FROM {0}) {op} 12"],
    "tstz": ["extract('day' FROM {0}) {op} 15"],
    "bool": ["{0}"],
}
"""Conditions that only columns of a family have; `{op}` is a comparison."""

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
    Pattern("[{0}, {k}][-1]", "int"),
    Pattern("list_contains([{0}, {k}], 5)", "bool"),
    Pattern("list_count([{0}, {k}, NULL])", "int"),
    Pattern("list_max([{0}, {k}])", "int"),
    Pattern("list_position([{k}, {0}], {0})", "int"),
    Pattern("list_sort([{0}, {k}, NULL], 'desc')[2]", "int"),
    Pattern("len(list_concat([{0}, {k}], list_distinct([{0}, {0}])))", "int"),
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
    Pattern("list_max([{0}, 1.5e0])", "float"),
    Pattern("list_min([{0}, 1.5e0, NULL])", "float"),
    Pattern("list_sort([{0}, 1.5e0])[1]", "float"),
    Pattern("list_contains([{0}], {0})", "bool"),
    Pattern("list_unique([{0}, 1.5e0, {0}])", "int"),
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
    Pattern("array_to_string(regexp_extract_all({0}, '[a-c0-9]'), ',')", "text"),
    Pattern("array_to_string(regexp_split_to_array({0}, '[ae]+'), '|')", "text"),
    Pattern("array_to_string(string_split({0}, 'a'), '|')", "text"),
    Pattern("levenshtein({0}, 'name1')", "int"),
    Pattern("damerau_levenshtein({0}, 'mane')", "int"),
    Pattern("jaro_winkler_similarity({0}, 'name1')", "float"),
    Pattern("len(string_split({0}, ''))", "int"),
    Pattern("list_contains(string_split({0}, 'e'), '')", "bool"),
    Pattern("list_min(string_split({0}, ''))", "text"),
    Pattern("string_split({0}, 'e')[{k}]", "text"),
    Pattern("string_split({0}, 'n')[-{k}]", "text"),
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
    Pattern("age({0}, TIMESTAMP '1999-12-31 12:00:00')::VARCHAR", "text"),
    Pattern("date_sub('{date_unit}', DATE '1999-12-31', {0})", "int"),
    Pattern("time_bucket(INTERVAL {k} DAY, {0})", "date"),
    Pattern("time_bucket(INTERVAL {k} MONTH, {0}, INTERVAL {k} DAY)", "date"),
    Pattern("timezone('Asia/Kolkata', timezone('UTC', {0}))", "ts"),
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
    Pattern("timezone('Asia/Kolkata', {0})", "ts"),
    Pattern("timezone('Europe/Berlin', {0})", "ts"),
    Pattern("({0})::DATE", "date"),
]

TIMESTAMP = [
    Pattern("({0} + INTERVAL {k} HOUR)", "ts", plain=True),
    Pattern("({0} - INTERVAL {k} DAY)", "ts", plain=True),
    Pattern("date_trunc('{unit}', {0})", "ts", plain=True),
    Pattern("age({0}, TIMESTAMP '1999-12-31 12:34:56.5')::VARCHAR", "text", plain=True),
    Pattern("date_sub('{unit}', TIMESTAMP '1999-12-31 12:34:56', {0})", "int", plain=True),
    Pattern("time_bucket(INTERVAL {k} MINUTE, {0})", "ts", plain=True),
    Pattern("time_bucket(INTERVAL {k} WEEK, {0}, INTERVAL {k} HOUR)", "ts", plain=True),
    Pattern("time_bucket(INTERVAL {k} MONTH, {0})", "ts", plain=True),
    Pattern("time_bucket(INTERVAL {k} DAY, {0}, TIMESTAMP '2001-02-03 04:05:06')", "ts", plain=True),
    Pattern("timezone('Europe/Berlin', timezone('UTC', {0}))", "ts", plain=True),
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

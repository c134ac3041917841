"""Whether two results are the same rows.

Rows are a multiset unless the query orders them. Everything but floats must be equal; floats must be
equal up to the rounding that the scale of what was added allows.
"""

import math
from collections import Counter
from dataclasses import dataclass

from values import Values

TOLERANCE = 1e-9
SCALE_MAX = 1e290
"""Beyond it anything goes: the values have overflowed on the way."""


@dataclass(frozen=True)
class Rounding:
    """How far floats of a column may be apart: `scales` by row of the expected result, or None."""

    scales: list | None
    root: bool


def difference(
    expected: list[Values], actual: list[Values], roundings: list[Rounding], ordered: list[int]
) -> str | None:
    """What differs, or None."""
    shapes = shape_difference(expected, actual)
    if shapes:
        return shapes
    for index in ordered:
        if found := column_difference(index, expected[index], actual[index], roundings[index]):
            return found
    if len(ordered) == len(expected):
        return None
    return rows_difference(expected, actual, roundings)


def shape_difference(expected: list[Values], actual: list[Values]) -> str | None:
    """Numbers of columns and rows, and the kinds of columns."""
    if len(expected) != len(actual):
        return f"{len(expected)} columns expected, {len(actual)} found"
    for index, (left, right) in enumerate(zip(expected, actual)):
        if left.kind != right.kind and "null" not in (left.kind, right.kind):
            return f"column {index}: {left.kind} expected, {right.kind} found"
        if len(left.values) != len(right.values):
            return f"{len(left.values)} rows expected, {len(right.values)} found"
    return None


def column_difference(index: int, expected: Values, actual: Values, rounding: Rounding) -> str | None:
    """The first row in which an ordered column differs."""
    if expected.kind != "float" and expected.values == actual.values:
        return None
    for row, (left, right) in enumerate(zip(expected.values, actual.values)):
        if not same(left, right, scale_at(rounding, row), rounding.root):
            return f"column {index}, row {row}: {shown(left)} expected, {shown(right)} found"
    return None


def rows_difference(expected: list[Values], actual: list[Values], roundings: list[Rounding]) -> str | None:
    """The first rows of one result that the other has not."""
    exact = [index for index, column in enumerate(expected) if column.kind != "float"]
    floats = [index for index, column in enumerate(expected) if column.kind == "float"]
    left, right = rows_of(expected, exact), rows_of(actual, exact)
    if left != right and (found := counts_difference(Counter(left), Counter(right))):
        return found
    if not floats:
        return None
    return floats_difference(expected, actual, roundings, floats, left, right)


def rows_of(columns: list[Values], indices: list[int]) -> list[tuple]:
    """The rows of some columns."""
    if not indices:
        return [()] * len(columns[0].values)
    return list(zip(*(columns[index].values for index in indices)))


def counts_difference(expected: Counter, actual: Counter) -> str | None:
    """Rows that only one side has."""
    missing, extra = list((expected - actual).elements()), list((actual - expected).elements())
    if not missing and not extra:
        return None
    return f"{len(missing)} rows missing: {shown(missing[:3])}\n{len(extra)} rows too many: {shown(extra[:3])}"


def floats_difference(expected, actual, roundings, floats: list[int], left: list, right: list) -> str | None:
    """Matches rows whose exact parts are equal by their floats."""
    wanted, found = by_exact_part(left), by_exact_part(right)

    def values(columns, row):
        return [columns[index].values[row] for index in floats]

    def matches(row, other):
        return all(
            same(a, b, scale_at(roundings[index], row), roundings[index].root)
            for index, a, b in zip(floats, values(expected, row), values(actual, other))
        )

    for exact, rows in wanted.items():
        rows = sorted(rows, key=lambda row: [order(value) for value in values(expected, row)])
        others = sorted(found[exact], key=lambda row: [order(value) for value in values(actual, row)])
        if all(matches(row, other) for row, other in zip(rows, others)):
            continue
        for row in rows:
            other = next((other for other in others if matches(row, other)), None)
            if other is None:
                left_over = [values(actual, other) for other in others[:3]]
                return f"row {shown(exact)}: floats {values(expected, row)} expected, {left_over} found"
            others.remove(other)
    return None


def by_exact_part(rows: list[tuple]) -> dict[tuple, list[int]]:
    """The numbers of the rows with the same exact part."""
    places: dict[tuple, list[int]] = {}
    for row, exact in enumerate(rows):
        places.setdefault(exact, []).append(row)
    return places


def order(value: float | None) -> tuple:
    """NULL, numbers, NaN."""
    if value is None:
        return (0, 0.0)
    return (2, 0.0) if math.isnan(value) else (1, value)


def scale_at(rounding: Rounding, row: int):
    """The scale of a row; None if there is none."""
    return rounding.scales[row] if rounding.scales else None


def same(left, right, scale: float | None, root: bool) -> bool:
    """Whether two values are equal, or as near as `scale` allows."""
    if not isinstance(left, float) or not isinstance(right, float):
        return left == right
    if left == right or (math.isnan(left) and math.isnan(right)):
        return True
    if scale is not None and not scale < SCALE_MAX:
        return True
    if not math.isfinite(left) or not math.isfinite(right):
        # The correlation of what hardly varies is anything.
        return scale is not None and scale * TOLERANCE > 1 and math.isnan(left) != math.isnan(right)
    if root and scale is not None:
        return abs(left * left - right * right) <= TOLERANCE * max(left * left, right * right, scale)
    return abs(left - right) <= TOLERANCE * max(abs(left), abs(right), scale or 0.0)


def shown(value) -> str:
    """A value, cut if it is long."""
    text = repr(value)
    return text if len(text) < 300 else f"{text[:300]}..."

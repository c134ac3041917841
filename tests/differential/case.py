"""One case: a table, its files, a query; and the verdict on every way of running it."""

import dataclasses
import random
from dataclasses import dataclass
from pathlib import Path

import compare
from accepted import accepted
from engines import OVER_BUDGET, Duck, Outcome, Way, random_way, run_dframe
from layout import FileLayout, random_layout, write
from queries import Query, random_query
from tables import RandomTable, random_table
from values import Values

ZONES_BEGIN = -1_980_000_000 * 10**9
"""1907: before it, clocks showed the time of the sun."""


@dataclass(frozen=True)
class Case:
    """What is run."""

    table: RandomTable
    layouts: list[FileLayout]
    query: Query
    ways: list[Way]


@dataclass(frozen=True)
class Verdict:
    """How a case ended: `ok`, `error` (in both), `accepted`, `refused`, or `failed`."""

    kind: str
    detail: str = ""
    way: Way | None = None


def random_case(seed: int, index: int) -> Case:
    """The case of this number; the same on every machine."""
    rng = random.Random(f"{seed}/{index}")
    table = random_table(rng)
    layouts = random_layout(rng, table.rows)
    query = random_query(rng, table)
    return Case(table, layouts, query, [random_way(rng) for _ in range(2)])


def check(case: Case, duck: Duck, binary: str, folder: Path) -> Verdict:
    """Runs the case in all its ways."""
    files = write(case.table.rows, case.layouts, folder)
    expected = duck.run(case.query, files, case.table.zone)
    worst = Verdict("error" if expected.error else "ok")
    for way in case.ways:
        verdict = check_way(case, way, expected, binary, folder, files)
        if verdict.kind == "failed":
            return verdict
        if verdict.kind not in ("ok", "error"):
            worst = verdict
    return worst


def check_way(case: Case, way: Way, expected: Outcome, binary: str, folder: Path, files: list[Path]) -> Verdict:
    """Runs the case in one way; with ample memory if it was refused."""
    kinds = [column.text_kind for column in expected.columns] if expected.columns else None
    if any(map(is_before_zones, expected.columns or [])) or any(map(is_unbounded, expected.scales or [])):
        way = dataclasses.replace(way, format="parquet")
    actual = run_dframe(binary, case.query, files, way, folder, kinds)
    if actual.status == OVER_BUDGET and way.memory:
        ample = dataclasses.replace(way, memory=None)
        verdict = check_way(case, ample, expected, binary, folder, files)
        return verdict if verdict.kind == "failed" else Verdict("refused", (actual.error or "").strip(), way)
    return dataclasses.replace(judge(case.query, expected, actual, way), way=way)


def is_before_zones(column: Values) -> bool:
    """Whether offsets from UTC have seconds, which dframe's text leaves out."""
    return column.kind == "zoned" and any(value is not None and value < ZONES_BEGIN for value in column.values)


def is_unbounded(scales: list | None) -> bool:
    """Whether any float may be NaN in one engine and infinite in the other, which JSON cannot tell."""
    return scales is not None and any(scale is not None and not scale < compare.SCALE_MAX for scale in scales)


def judge(query: Query, expected: Outcome, actual: Outcome, way: Way) -> Verdict:
    """Compares two outcomes."""
    if expected.error and actual.error and actual.status == 1:
        return Verdict("error")
    if expected.error or actual.error:
        rule = accepted(query, expected, actual)
        if rule and actual.status in (0, 1):
            return Verdict("accepted", rule)
        return Verdict("failed", f"duckdb: {expected.error or 'a result'}\ndframe: {actual.error or 'a result'}")
    found = compare.difference(
        as_in(way.format, expected.columns), actual.columns, roundings(query, expected), query.ordered_columns()
    )
    return Verdict("failed", found) if found else Verdict("ok")


def roundings(query: Query, expected: Outcome) -> list[compare.Rounding]:
    """How exact each column is."""
    return [compare.Rounding(scales, output.root) for scales, output in zip(expected.scales, query.columns)]


def as_in(file_format: str, columns: list) -> list:
    """The values as the format can hold them: JSON has neither NaN nor infinities."""
    if file_format != "ndjson":
        return columns

    def finite(value):
        return value if value is None or abs(value) < float("inf") else None

    return [
        dataclasses.replace(column, values=[finite(value) for value in column.values])
        if column.kind == "float"
        else column
        for column in columns
    ]

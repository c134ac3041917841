"""Makes a failing case smaller: fewer rows, files, columns of the result, clauses."""

import dataclasses
from collections.abc import Callable, Iterator

from case import Case
from layout import one_file
from queries import Query

TRIES_MAX = 80


def shrink(case: Case, fails: Callable[[Case], bool]) -> Case:
    """The smallest case found for which `fails` still holds."""
    tries = 0
    progress = True
    while progress and tries < TRIES_MAX:
        progress = False
        for smaller in candidates(case):
            tries += 1
            if tries > TRIES_MAX:
                break
            if fails(smaller):
                case, progress = smaller, True
                break
    return case


def candidates(case: Case) -> Iterator[Case]:
    """Cases that are a step smaller, the largest steps first."""
    if len(case.ways) > 1:
        for way in case.ways:
            yield dataclasses.replace(case, ways=[way])
    for query in simpler(case.query):
        yield dataclasses.replace(case, query=query)
    if len(case.layouts) > 1 or len(case.layouts[0].group_ends) > 1:
        yield dataclasses.replace(case, layouts=one_file(case.table.rows, case.layouts))
    yield from fewer_rows(case)
    yield from fewer_columns(case)


def fewer_rows(case: Case) -> Iterator[Case]:
    """Parts of the rows, in one file."""
    rows = case.table.rows
    for parts in (2, 4, 8):
        size = rows.num_rows // parts
        for part in range(parts if size else 0):
            kept = rows.slice(part * size, size)
            table = dataclasses.replace(case.table, rows=kept)
            yield dataclasses.replace(case, table=table, layouts=one_file(kept, case.layouts))


def simpler(query: Query) -> Iterator[Query]:
    """The query without one of its parts."""
    for clause in ("where", "having", "limit", "offset"):
        if getattr(query, clause) is not None:
            yield dataclasses.replace(query, **{clause: None})
    if query.distinct:
        yield dataclasses.replace(query, distinct=False)
    if query.sort and query.limit is None:
        yield dataclasses.replace(query, sort=[])
    for output in query.outputs if len(query.outputs) > 1 else []:
        kept = [other for other in query.outputs if other is not output]
        yield without(query, output.name, outputs=kept)
    for key in query.keys if query.limit is None else []:
        yield without(query, key.name, keys=[other for other in query.keys if other is not key])


def without(query: Query, name: str, **changes) -> Query:
    """The query with a column of the result gone, also from the order."""
    sort = [key for key in query.sort if key.output != name]
    return dataclasses.replace(query, sort=sort, **changes)


def fewer_columns(case: Case) -> Iterator[Case]:
    """The table with only the columns that the query names."""
    text = repr(case.query)
    names = [name for name in case.table.rows.column_names if name in text]
    if not names or len(names) == case.table.rows.num_columns:
        return
    rows = case.table.rows.select(names)
    layouts = [dataclasses.replace(layout, options=only(layout.options, names)) for layout in case.layouts]
    yield dataclasses.replace(case, table=dataclasses.replace(case.table, rows=rows), layouts=layouts)


def only(options: dict, names: list[str]) -> dict:
    """The options of a writer for some columns."""
    kept = dict(options)
    for option in ("column_encoding", "bloom_filter_options"):
        if kept.get(option):
            kept[option] = {name: value for name, value in kept[option].items() if name in names} or None
    return kept

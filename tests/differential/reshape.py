"""Random pivots, unpivots, explosions of lists, and files of different columns, by dframe and by DuckDB.

    python3 tests/differential/reshape.py --cases 4000 --seed 1 [--binary PATH] [--case N]

The four take turns. dframe keeps the order of the input, so that rows of `unpivot`, `explode` and several files are
compared in order, also where a limit cuts them. The exit status is 1 if an answer differs.
"""

import datetime
import decimal
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environment import ensure_packages

ensure_packages()

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

import harness  # noqa: E402

FAMILIES = {
    "int": [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32()],
    "float": [pa.float32(), pa.float64(), pa.int32(), pa.int64()],
    "decimal": [pa.decimal128(9, 2), pa.decimal128(12, 1), pa.int16(), pa.int32()],
    "text": [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    "time": [pa.timestamp("us"), pa.timestamp("ms"), pa.date32()],
    "bool": [pa.bool_()],
}
ELEMENTS = {"int": pa.int64(), "float": pa.float64(), "text": pa.string(), "time": pa.date32(), "lists": pa.list_(pa.int16())}
ROWS = [0, 1, 5, 300, 5000, 40_000]


@dataclass(frozen=True)
class Case:
    """A command, and the query that has the same answer."""

    command: list[str]
    write: Callable[[Path], list[str]]
    tables: dict[str, pa.Table]
    sql: str
    ordered: bool
    names: list[str] | None
    rng: random.Random

    def describe(self) -> str:
        """In a line."""
        types = [[f"{field.name} {field.type}" for field in table.schema] for table in self.tables.values()]
        rows = [table.num_rows for table in self.tables.values()]
        return f"{' '.join(self.command)}\n{self.sql}\n{rows} of {types}"


def random_case(seed: int, index: int) -> Case:
    """The case of a number; kinds take turns."""
    rng = random.Random(f"{seed}-{index}")
    return [pivot, unpivot, explode, concat][index % 4](rng)


def pivot(rng: random.Random) -> Case:
    """A column for each of a few values or of hundreds, found or given."""
    rows = rng.choice(ROWS)
    family = rng.choice(["int", "float", "text", "time", "bool"])
    on = values(rng, family, rng.choice(FAMILIES[family][:1] if family == "float" else FAMILIES[family]), rows,
                rng.choice([1, 3, 6, 40, 200]))
    keys = {f"i{place}": values(rng, *rng.choice([("int", pa.int64()), ("text", pa.string()), ("float", pa.float64())]),
                                rows, rng.choice([1, 10, 3000]))
            for place in range(rng.choice([0, 1, 1, 2]))}
    table = pa.table({**keys, "o": on, "v": values(rng, "int", pa.int64(), rows, 1000),
                      "x": values(rng, "float", pa.float64(), rows, 100), "row": pa.array(range(rows), pa.int64())})
    aggregates = rng.sample([
        ("sum(v)", "sum(v)::BIGINT"), ("count(*)", "count(*)"), ("count(v)", "count(v)"), ("min(x)", "min(x)"),
        ("max(row)", "max(row)"), ("first(v)", "first(v ORDER BY row)"), ("last(x)", "last(x ORDER BY row)"),
        ("count(distinct v)", "count(DISTINCT v)"), ("round(avg(v), 6)", "round(avg(v), 6)"),
        ("max(v) filter (where row % 2 = 0)", "max(v) FILTER (WHERE row % 2 = 0)"),
        ("sum(v) / count(*)", "sum(v)::DOUBLE / nullif(count(*), 0)"), ("count(*) + 1", "count(*) + 1"),
    ], rng.choice([1, 1, 1, 2, 3]))
    names, named_rows = names_of(table)
    null = "NULL" if None in named_rows else None
    with_name = len(aggregates) > 1 or rng.random() < 0.3
    agg = ", ".join(f"{ours} as a{n}" if with_name else ours for n, (ours, _) in enumerate(aggregates))
    command = ["pivot", "--on=o", f"--agg={agg}", *([f"--index={', '.join(keys)}"] if keys else [])]
    if rng.random() < 0.3 and names and family in ("int", "text"):
        names, null = rng.sample(names, rng.randint(1, len(names))), None
        command.append(f"--values={', '.join(names if family == 'int' else map(text_constant, names))}")
    places = [(name, f"o = {text_constant(name)}") for name in names] + [(null, "o IS NULL")] * (null is not None)
    if not places and not keys:
        return pivot(rng)
    cells = [filtered(theirs, condition) for _, condition in places for _, theirs in aggregates]
    columns = [*keys, *(f"{cell} AS p{place}" for place, cell in enumerate(cells))]
    sql = f"SELECT {', '.join(columns)} FROM t {f'GROUP BY ALL' if keys else ''}"
    if keys and not cells:
        sql = f"SELECT DISTINCT {', '.join(keys)} FROM t"
    heads = [*keys, *(f"{name}_a{n}" if with_name else name for name, _ in places for n in range(len(aggregates)))]
    named_table = table.set_column(table.column_names.index("o"), "o", pa.array(named_rows, pa.string()))
    return Case(command, one_folder(rng, table), {"t": named_table}, sql, False, heads, rng)


def names_of(table: pa.Table) -> tuple[list[str], list[str | None]]:
    """The values of `o` in ascending order as texts, and the text of each row; there is one zero."""
    connection = connected({"t": table})
    name = "(o + 0.0::FLOAT)" if pa.types.is_floating(table.schema.field("o").type) else plain(table, "o")
    rows = connection.sql(f"SELECT {name}::VARCHAR FROM t").fetchall()
    found = connection.sql(f"SELECT DISTINCT {name} AS o, {name}::VARCHAR FROM t WHERE o IS NOT NULL ORDER BY 1").fetchall()
    return [name for _, name in found], [name for name, in rows]


def filtered(aggregate: str, condition: str) -> str:
    """The aggregate of the rows for which a condition holds."""
    if "FILTER (WHERE " in aggregate:
        return aggregate.replace("FILTER (WHERE ", f"FILTER (WHERE {condition} AND ")
    clause = f" FILTER (WHERE {condition})"
    for call in ("sum(v)", "count(*)", "count(v)", "min(x)", "max(row)", "first(v ORDER BY row)", "last(x ORDER BY row)",
                 "count(DISTINCT v)", "avg(v)"):
        aggregate = aggregate.replace(call, f"({call}{clause})")
    return aggregate


def unpivot(rng: random.Random) -> Case:
    """Columns of types that go together, beside others."""
    rows = rng.choice(ROWS)
    family = rng.choice(list(FAMILIES))
    count = rng.choice([1, 2, 3, 7, 40 if rows < 1000 else 7])
    on = {f"c{n}": values(rng, family, rng.choice(FAMILIES[family]), rows, rng.choice([1, 50, 10_000])) for n in range(count)}
    index = {f"i{n}": values(rng, *rng.choice([("int", pa.int64()), ("text", pa.string())]), rows, 100)
             for n in range(rng.choice([0, 1, 2]))}
    table = pa.table({**index, **on, "row": pa.array(range(rows), pa.int64())})
    kept = [*index, "row"]
    selects = [f"SELECT {', '.join(kept)}, '{name}' AS k, {plain(table, name)} AS v, {n} AS place FROM t"
               for n, name in enumerate(on)]
    command = ["unpivot", "--variable=k", "--value=v"]
    command += rng.choice([[f"--on={', '.join(on)}"], [f"--index={', '.join(kept)}"],
                           [f"--on={', '.join(on)}", f"--index={', '.join(kept)}"]])
    where = rng.choice([None, None, "v is not null", "row % 3 = 1", "k <> 'c0'"])
    command += [f"--where={where}"] if where else []
    limit, cut = random_limit(rng)
    command += limit
    sql = f"SELECT * EXCLUDE (place) FROM ({' UNION ALL '.join(selects)}) {f'WHERE {where}' if where else ''} ORDER BY row, place {cut}"
    return Case(command, one_folder(rng, table), {"t": table}, sql, True, None, rng)


def explode(rng: random.Random) -> Case:
    """One or two columns of lists, or of texts that are split."""
    rows = rng.choice(ROWS)
    longest = rng.choice([1, 3, 3, 20 if rows < 10_000 else 3, 2000 if rows <= 300 else 2])
    lengths = [None if rng.random() < 0.1 else rng.choice([0, 1, longest, rng.randint(0, longest)]) for _ in range(rows)]
    columns = {"i": values(rng, "int", pa.int32(), rows, 100), "t": long_texts(rng, rows)}
    lists = []
    for place in range(rng.choice([1, 1, 2])):
        family = rng.choice(list(ELEMENTS))
        data_type = rng.choice([pa.list_, pa.large_list])(ELEMENTS[family])
        columns[f"l{place}"] = pa.array([one_list(rng, family, length) for length in lengths], data_type)
        lists.append(f"l{place}")
    columns["row"] = pa.array(range(rows), pa.int64())
    table = pa.table(columns)
    if rng.random() < 0.15:
        names, on, lists = "t, row", "string_split(t, ' ') as l0", ["l0"]
        source = "SELECT * EXCLUDE (l0) REPLACE (row AS row), string_split(t, ' ') AS l0 FROM t" if "l1" not in columns \
            else "SELECT * EXCLUDE (l0, l1), string_split(t, ' ') AS l0 FROM t"
        if "l1" in columns:
            table = table.drop(["l1"])
            source = source.replace("l0, l1", "l0")
        # The new column takes the place of the old one.
        names = ", ".join(table.column_names)
        source = f"SELECT {names} FROM ({source})"
    else:
        on, source = ", ".join(lists), "SELECT * FROM t"
    command = ["explode", f"--on={on}"]
    where = rng.choice([None, None, None, "l0 is not null", "row % 3 = 1"])
    command += [f"--where={where}"] if where else []
    limit, cut = random_limit(rng)
    command += limit
    filled = ", ".join(f"unnest(CASE WHEN {name} IS NULL OR len({name}) = 0 THEN [NULL] ELSE {name} END) AS {name}" for name in lists)
    counted = f"unnest(range(greatest(coalesce(len({lists[0]}), 0), 1))) AS place"
    outer = ", ".join(table.column_names)
    inner = ", ".join([name for name in table.column_names if name not in lists] + [filled, counted])
    sql = f"SELECT {outer} FROM (SELECT {inner} FROM ({source})) {f'WHERE {where}' if where else ''} ORDER BY row, place {cut}"
    return Case(command, one_folder(rng, table), {"t": table}, sql, True, None, rng)


def concat(rng: random.Random) -> Case:
    """Files with other columns, in another order, of other types."""
    families = {f"c{n}": rng.choice(list(FAMILIES)) for n in range(rng.choice([1, 2, 5]))}
    tables = {}
    start = 0
    for file in range(rng.choice([1, 2, 3, 12])):
        rows = rng.choice([0, 1, 5, 300, 5000])
        names = [name for name in families if rng.random() < 0.7]
        rng.shuffle(names)
        columns = {name: values(rng, families[name], rng.choice(FAMILIES[families[name]]), rows, 100) for name in names}
        columns["row"] = pa.array(range(start, start + rows), rng.choice([pa.int64(), pa.int32()]))
        tables[f"t{file:02}"] = pa.table(columns)
        start += rows
    used = [name for name in families if any(name in table.column_names for table in tables.values())]
    selects = [f"SELECT {', '.join(plain(table, name) + ' AS ' + name for name in table.column_names)} FROM {alias}"
               for alias, table in tables.items()]
    limit, cut = random_limit(rng)
    where = rng.choice([None, None, "row % 3 = 1", *(f"{name} is null" for name in used)])
    columns = ", ".join(["row", *used])
    command = ["select", f"--columns={columns}", *limit, *([f"--where={where}"] if where else [])]
    union = " UNION ALL BY NAME ".join(selects)
    sql = f"SELECT {columns} FROM ({union}) {f'WHERE {where}' if where else ''} ORDER BY row {cut}"

    def write(folder: Path) -> list[str]:
        folder.mkdir(parents=True)
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet", row_group_size=rng.choice([50, 700, 100_000]))
        return [str(folder)]

    return Case(command, write, tables, sql, True, None, rng)


def random_limit(rng: random.Random) -> tuple[list[str], str]:
    """A cut, or none."""
    if rng.random() < 0.7:
        return [], ""
    limit = rng.choice([0, 1, 10, 1000])
    return [f"--limit={limit}"], f"LIMIT {limit}"


def one_folder(rng: random.Random, table: pa.Table) -> Callable[[Path], list[str]]:
    """Writes the table as one file or some."""
    return lambda folder: harness.input_args(rng, table, folder, rng.choice([1, 1, 3, 11]))


def plain(table: pa.Table, name: str) -> str:
    """A column without its dictionary, which DuckDB takes for an ENUM."""
    is_coded = pa.types.is_dictionary(table.schema.field(name).type)
    return f"{name}::VARCHAR" if is_coded else name


def values(rng: random.Random, family: str, data_type: pa.DataType, rows: int, distinct: int) -> pa.Array:
    """A column; sometimes most of it is NULL, or one value."""
    nulls, skew = rng.choice([0, 0, 0.1, 0.6, 1.0 if rng.random() < 0.1 else 0]), rng.random() < 0.2

    def value() -> Any:
        if rng.random() < nulls:
            return None
        number = 0 if skew and rng.random() < 0.9 else rng.randrange(distinct)
        return value_of(family, number, data_type)

    all_values = [value() for _ in range(rows)]
    if pa.types.is_dictionary(data_type):
        return pa.array(all_values, data_type.value_type).dictionary_encode()
    return pa.array(all_values, data_type)


def value_of(family: str, number: int, data_type: pa.DataType) -> Any:
    """The value of a number."""
    match family:
        case "int":
            return number % 120
        case "float" if pa.types.is_integer(data_type):
            return number - 2
        case "float":
            return [float("nan"), 0.0, -0.0, float("inf"), float("-inf")][number] if number < 5 else number / 4
        case "decimal" if pa.types.is_integer(data_type):
            return number
        case "decimal":
            return decimal.Decimal(number) / 2 - 3
        case "text":
            return ["", "é", "a" * 40][number] if number < 3 else f"name{number}"
        case "bool":
            return number % 2 == 0
        case _ if pa.types.is_date(data_type):
            return datetime.date(2020, 1, 1) + datetime.timedelta(days=number % 3000)
        case _:
            return datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=number)


def one_list(rng: random.Random, family: str, length: int | None) -> list | None:
    """A list of this length."""
    if length is None:
        return None
    if family == "lists":
        return [rng.choice([None, [], [1, None], [2, 3]]) for _ in range(length)]
    return [None if rng.random() < 0.1 else value_of(family, rng.randrange(50), ELEMENTS[family]) for _ in range(length)]


def long_texts(rng: random.Random, rows: int) -> pa.Array:
    """Texts of some words, a few of them long."""
    longest = rng.choice([1, 1, 20, 2000 if rows <= 300 else 20])
    return pa.array([rng.choice([None, "", "a", "b c", " ".join(["word"] * rng.choice([1, 2, longest]))]) for _ in range(rows)])


def text_constant(text: str) -> str:
    """A text for DuckDB."""
    return "'" + text.replace("'", "''") + "'"


def connected(tables: dict[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """DuckDB with these tables."""
    connection = duckdb.connect(config={"threads": 1})
    for name, table in tables.items():
        connection.register(name, table)
    return connection


def check(case: Case, binary: str, folder: Path) -> str | None:
    """The difference, if there is one."""
    wanted = normal(connected(case.tables).sql(case.sql).to_arrow_table())
    command, *flags = case.command
    source = case.write(folder / "in")
    for way in (harness.random_way(case.rng) for _ in range(2)):
        found = normal(harness.run_dframe(binary, [command, *source, *flags], way, folder / "out.parquet"))
        names = case.names or wanted.column_names
        if found.column_names != names:
            return f"{case.describe()} {way}\ncolumns {found.column_names}, not {names}"
        expected, rows = harness.rows_of(wanted), harness.rows_of(found)
        problem = harness.difference(expected, rows)
        if not problem and case.ordered and expected != rows:
            problem = "the rows come in another order"
        if problem:
            return f"{case.describe()} {way}\n{problem}"
    return None


def normal(table: pa.Table) -> pa.Table:
    """Instants as nanoseconds, so that units do not matter."""
    columns = [
        column.cast(pa.timestamp("ns")).cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


if __name__ == "__main__":
    sys.exit(harness.main(__doc__.splitlines()[0], random_case, check))

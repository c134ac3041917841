"""Random queries in SQL, the same text for dframe and for DuckDB.

    python3 tests/differential/sql.py --cases 1000 --seed 1 [--binary PATH] [--case N]

Joins of every kind and tables between commas, subqueries in FROM, WITH, grouping by columns, names and positions,
several sets of them, HAVING, windows over rows and over groups, QUALIFY, DISTINCT, set operations, queries in conditions, ORDER BY and LIMIT,
over small tables with NULLs and few values, so that much is equal. The exit status is 1 if an answer differs.
"""

import random
import sys
from dataclasses import dataclass
from pathlib import Path

from environment import ensure_packages

ensure_packages()

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402

import harness  # noqa: E402
import stored  # noqa: E402

INTS, TEXTS = ["i", "j", "k"], ["s", "t"]


@dataclass(frozen=True)
class Case:
    """Tables, and a query over them; `{a}` in it is where the files of table `a` are."""

    tables: dict[str, pa.Table]
    query: str
    ordered: bool
    rng: random.Random


@dataclass(frozen=True)
class Relation:
    """Something in FROM: its text, its name, and its columns by family."""

    text: str
    name: str
    ints: list[str]
    texts: list[str]


def random_case(seed: int, index: int) -> Case:
    """The case of a number."""
    rng = random.Random(f"{seed}-{index}")
    tables = {name: random_table(rng) for name in "abc"}
    builder = Builder(rng)
    query, ordered = builder.query()
    return Case(tables, query, ordered, rng)


def random_table(rng: random.Random) -> pa.Table:
    """Rows of few values; one column has no NULL."""
    rows = rng.choice([0, 1, 5, 30, 30, 200, 200, 1500])
    size = rng.choice([2, 5, 40])

    def ints(nulls: bool) -> pa.Array:
        return pa.array([None if nulls and rng.random() < 0.15 else rng.randint(-size, size) for _ in range(rows)], pa.int64())

    def texts() -> pa.Array:
        return pa.array([None if rng.random() < 0.15 else f"v{rng.randint(0, size)}" for _ in range(rows)], pa.string())

    numbers = pa.array(range(rows), pa.int64())
    return pa.table({"id": numbers, "i": ints(True), "j": ints(True), "k": ints(False), "s": texts(), "t": texts()})


class Builder:
    """Makes the text of a query, part by part."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.names = 0
        self.common: list[Relation] = []

    def query(self) -> tuple[str, bool]:
        """A whole query, and whether its order is total."""
        rng = self.rng
        head = ""
        if rng.random() < 0.3:
            parts = []
            for _ in range(rng.randint(1, 2)):
                name = self.name("w")
                body, ints, texts = self.inner(1)
                parts.append(f"{name} AS ({body})")
                self.common.append(Relation(name, name, ints, texts))
            head = f"WITH {', '.join(parts)} "
        if rng.random() < 0.2:
            return head + self.set_operation(), False
        body, columns = self.select(0)
        if rng.random() < 0.5:
            return head + body, False
        keys = ", ".join(f"{self.order_key(place, column)}{self.direction()}" for place, column in enumerate(columns))
        cut = rng.choice(["", "", " LIMIT 7", " LIMIT 3 OFFSET 2", " OFFSET 4", " LIMIT 0"])
        return f"{head}{body} ORDER BY {keys}{cut}", True

    def order_key(self, place: int, column: str) -> str:
        """An output column, by name or position."""
        return self.rng.choice([column, str(place + 1)])

    def direction(self) -> str:
        """Which way to sort."""
        return self.rng.choice(["", "", " DESC", " ASC", " NULLS FIRST", " DESC NULLS LAST"])

    def name(self, prefix: str) -> str:
        """A name that was not there."""
        self.names += 1
        return f"{prefix}{self.names}"

    def relation(self, depth: int) -> Relation:
        """A table, what WITH named, or a subquery."""
        rng = self.rng
        chance = rng.random()
        name = self.name("r")
        if self.common and chance < 0.35:
            common = rng.choice(self.common)
            return Relation(f"{common.name} AS {name}", name, common.ints, common.texts)
        if depth < 2 and chance < 0.55:
            body, ints, texts = self.inner(depth + 1)
            return Relation(f"({body}) AS {name}", name, ints, texts)
        if chance < 0.6:
            rows = ", ".join(f"({rng.randint(-3, 3)}, 'v{rng.randint(0, 3)}')" for _ in range(rng.randint(1, 4)))
            return Relation(f"(VALUES {rows}) AS {name} (i, s)", name, ["i"], ["s"])
        if chance < 0.64:
            numbers = rng.choice(["range(9)", "range(-3, 4)", "generate_series(5, -5, -2)", "generate_series(0, 6, 3)"])
            return Relation(f"(SELECT n AS i, n % 3 AS j, 'v' || n AS s FROM {numbers} AS {name} (n)) AS {name}", name, ["i", "j"], ["s"])
        return Relation(f"'{{{rng.choice('abc')}}}' {name}", name, ["id", *INTS], TEXTS)

    def inner(self, depth: int) -> tuple[str, list[str], list[str]]:
        """A query whose columns have known families."""
        rng = self.rng
        source = self.source(depth, 2)
        if rng.random() < 0.5:
            key, text = self.int_column(source), self.text_column(source)
            body = f"SELECT {key} AS i, min({text}) AS s, count(*) AS n FROM {source.text}{self.where(source)} GROUP BY {rng.choice(['1', key, 'ALL'])}"
            return body, ["i", "n"], ["s"]
        distinct = rng.choice(["", "", "DISTINCT "])
        body = f"SELECT {distinct}{self.int_column(source)} AS i, {self.int(source)} AS j, {self.text_column(source)} AS s FROM {source.text}{self.where(source)}"
        return body, ["i", "j"], ["s"]

    def source(self, depth: int, most: int) -> Relation:
        """One relation, or several that are joined; columns with their tables in front."""
        rng = self.rng
        whole = qualified(self.relation(depth))
        for _ in range(rng.choice([0, 0, 1, 1, 2][: most + 2])):
            other = qualified(self.relation(depth + 1))
            whole = self.joined(whole, other)
        return whole

    def joined(self, left: Relation, right: Relation) -> Relation:
        """Both sides of a join."""
        rng = self.rng
        kind = rng.choice(["JOIN", "JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN"])
        keys = [f"{rng.choice(left.ints)} = {rng.choice(right.ints)}"]
        if rng.random() < 0.3:
            keys.append(f"{rng.choice(right.texts)} = {rng.choice(left.texts)}")
        if rng.random() < 0.25:
            keys.append(f"{rng.choice(left.ints)} {rng.choice(['<', '>=', '<>'])} {rng.choice(right.ints)}")
        text = f"{left.text} {kind} {right.text} ON {' AND '.join(keys)}"
        both = Relation(text, "", left.ints + right.ints, left.texts + right.texts)
        return both if kind not in ("SEMI JOIN", "ANTI JOIN") else Relation(text, "", left.ints, left.texts)

    def int_column(self, source: Relation) -> str:
        """A column of integers."""
        return self.rng.choice(source.ints)

    def text_column(self, source: Relation) -> str:
        """A column of texts."""
        return self.rng.choice(source.texts)

    def int(self, source: Relation) -> str:
        """An expression of integers."""
        x, y = self.int_column(source), self.int_column(source)
        return self.rng.choice([x, x, f"{x} + 1", f"{x} - {y}", f"coalesce({x}, {y}, 0)", f"abs({x}) % 5", f"CASE WHEN {x} > 0 THEN {y} END",
                                f"length({self.text_column(source)})"])

    def text(self, source: Relation) -> str:
        """An expression of texts."""
        s = self.text_column(source)
        return self.rng.choice([s, s, f"upper({s})", f"{s} || 'x'", f"coalesce({s}, 'none')"])

    def condition(self, source: Relation) -> str:
        """Something true of some rows."""
        x, y, s = self.int_column(source), self.int_column(source), self.text_column(source)
        if self.rng.random() < 0.1:
            return self.subquery(x)
        return self.rng.choice([f"{x} > {self.rng.randint(-3, 3)}", f"{x} IS NOT NULL", f"{x} <= {y}", f"{s} LIKE '%1%'", f"{s} IN ('v0', 'v1', 'v2')",
                                f"{x} BETWEEN -2 AND 4", f"NOT ({x} = {y} AND {s} IS NULL)", f"({x} = 1 OR {s} = 'v1')"])

    def subquery(self, x: str) -> str:
        """A condition on the rows of a query, or on its value."""
        other = qualified(Relation(f"'{{{self.rng.choice('abc')}}}' q", "q", ["id", *INTS], TEXTS))
        rows = f"SELECT {self.rng.choice(other.ints)} FROM {other.text} WHERE q.id % 3 = {self.rng.randint(0, 3)} AND q.k > {self.rng.randint(-3, 3)}"
        value = f"(SELECT max({self.rng.choice(other.ints)}) FROM {other.text} WHERE q.k < {self.rng.randint(-1, 9)})"
        partners = f"SELECT {self.rng.choice(other.ints)} FROM {other.text} WHERE {self.rng.choice(other.ints)} = {x} AND q.k > {self.rng.randint(-3, 3)}"
        rank = self.rng.random()
        if rank < 0.3:
            return f"{x} {self.rng.choice(['<', '=', '>='])} {self.looked_up(x)}"
        if rank < 0.5:
            question = self.rng.choice([f"EXISTS ({partners})", f"{x} IN ({rows})", f"{x} NOT IN ({partners})", f"{x} IN ({partners})", f"{x} = ANY ({rows})"])
            return self.rng.choice([f"({question} OR {x} = 2)", f"({question}) IS NULL", f"NOT ({question} AND {x} > 0)", f"CASE WHEN {question} THEN {x} > 1 ELSE {x} < 1 END"])
        return self.rng.choice([f"EXISTS ({partners})", f"NOT EXISTS ({partners})", f"{x} IN ({partners})", f"{x} IN ({rows})", f"{x} NOT IN ({rows})", f"{x} NOT IN ({partners})",
                                f"EXISTS ({rows})", f"NOT EXISTS ({rows})", f"{x} <> ALL ({rows})", f"{x} < {value}", f"{x} = {value}"])

    def looked_up(self, x: str) -> str:
        """The value of a query about the partners of `x`."""
        rng = self.rng
        ints = [f"q.{column}" for column in ["id", *INTS]]
        y, key = rng.choice(ints), rng.choice(ints)
        condition = rng.choice([f"{key} = {x}", f"{key} = {x}", f"{key} = {x} AND q.k > 0", f"{key} + 1 = {x}", f"{key} < {x} AND q.id < 40", f"({key} = {x} OR q.id = {x})"])
        item = rng.choice([f"max({y})", f"min({y})", "count(*)", f"count({y}) + 1", f"coalesce(max({y}), -1)", f"CAST(sum({y}) AS BIGINT)", f"count(DISTINCT {y}) - min({y})"])
        text = f"FROM '{{{rng.choice('abc')}}}' q WHERE {condition}"
        return rng.choice([f"(SELECT {item} {text})", f"(SELECT {item} {text})", f"(SELECT {y} {text} ORDER BY q.id DESC LIMIT 1)"])

    def where(self, source: Relation) -> str:
        """Nothing, or conditions."""
        count = self.rng.choice([0, 0, 1, 2])
        return f" WHERE {' AND '.join(self.condition(source) for _ in range(count))}" if count else ""

    def select(self, depth: int) -> tuple[str, list[str]]:
        """A SELECT, and its columns."""
        chance = self.rng.random()
        if chance < 0.35:
            return self.grouped(depth)
        if chance < 0.55:
            return self.windowed(depth)
        if chance < 0.7:
            return self.commas(depth)
        source = self.source(depth, 3)
        items = [self.int(source), self.text(source), self.int(source)][: self.rng.randint(1, 3)]
        if self.rng.random() < 0.1:
            name, x, y = self.name("u"), self.int_column(source), self.int_column(source)
            array = self.rng.choice([f"[{x}, {y}]", f"[{x}]", f"CASE WHEN {x} > 0 THEN [{x}, {y}, 1] WHEN {y} > 0 THEN [{y}] END"])
            if self.rng.random() < 0.5:
                return self.text_of([self.int(source), f"unnest({array})"], source, "")
            joined = self.rng.choice([f", unnest({array}) AS {name} (item)", f" CROSS JOIN unnest({array}) AS {name} (item)", f" LEFT JOIN unnest({array}) AS {name} (item) ON true"])
            more = Relation(source.text + joined, "", [*source.ints, f"{name}.item"], source.texts)
            return self.text_of([f"{name}.item", self.int(more)], more, "")
        if self.rng.random() < 0.15:
            x = self.int_column(source)
            items[0] = self.rng.choice([self.looked_up(x), f"{x} + {self.looked_up(x)}", f"({self.subquery(x)})"])
        distinct = self.rng.choice(["", "", "DISTINCT "])
        return self.text_of(items, source, distinct)

    def text_of(self, items: list[str], source: Relation, distinct: str, rest: str = "") -> tuple[str, list[str]]:
        """A SELECT of these."""
        columns = [f"c{place}" for place in range(len(items))]
        listed = ", ".join(f"{item} AS {column}" for item, column in zip(items, columns))
        return f"SELECT {distinct}{listed} FROM {source.text}{self.where(source)}{rest}", columns

    def commas(self, depth: int) -> tuple[str, list[str]]:
        """Tables between commas, with equalities in WHERE."""
        rng = self.rng
        relations = [qualified(self.relation(depth + 1)) for _ in range(rng.randint(2, 3))]
        conditions = [f"{rng.choice(a.ints)} = {rng.choice(b.ints)}" for a, b in zip(relations, relations[1:])]
        conditions += [f"{rng.choice(relations[0].texts)} = {rng.choice(relations[-1].texts)}"]
        rng.shuffle(conditions)
        whole = Relation(", ".join(r.text for r in relations), "", sum((r.ints for r in relations), []), sum((r.texts for r in relations), []))
        conditions += [self.condition(whole)] if rng.random() < 0.5 else []
        items = [self.int(whole), self.text(whole)]
        listed = f"{items[0]} AS c0, {items[1]} AS c1"
        return f"SELECT {listed} FROM {whole.text} WHERE {' AND '.join(conditions)}", ["c0", "c1"]

    def aggregate(self, source: Relation) -> str:
        """An aggregate that is exact."""
        x, s = self.int_column(source), self.text_column(source)
        return self.rng.choice(["count(*)", f"count({x})", f"CAST(sum({x}) AS BIGINT)", f"min({x})", f"max({s})", f"count(DISTINCT {s})",
                                f"CAST(sum({x}) FILTER ({x} > 0) AS BIGINT)", f"max({x}) - min({x})"])

    def grouped(self, depth: int) -> tuple[str, list[str]]:
        """Groups, with HAVING and windows over them."""
        rng = self.rng
        source = self.source(depth, 2)
        keys = [self.int(source), self.text(source)][: rng.randint(0, 2)]
        items = keys + [self.aggregate(source) for _ in range(rng.randint(1, 2))]
        if keys and rng.random() < 0.15:
            column = self.int_column(source)
            keys[0] = items[0] = column
            items[-1] = rng.choice([self.looked_up(column), f"{items[-1]} IN (SELECT q.k FROM '{{a}}' q)" if "max(" not in items[-1] else self.looked_up(column)])
        if keys and rng.random() < 0.3:
            items.append(rng.choice(["CAST(sum(count(*)) OVER () AS BIGINT)", "rank() OVER (ORDER BY count(*))",
                                     f"max(count(*)) OVER (PARTITION BY {keys[0]})"]))
        by = rng.choice([", ".join(keys), ", ".join(str(place + 1) for place in range(len(keys))),
                         ", ".join(f"c{place}" for place in range(len(keys)))])
        rest = f" GROUP BY {by}" if keys else ""
        if keys and rng.random() < 0.3 and "OVER" not in items[-1]:
            rest = " GROUP BY ALL"
        sets = keys and rng.random() < 0.3 and len(set(keys)) == len(keys)
        if sets:
            rest = f" GROUP BY {self.sets(keys)}"
            items += [f"grouping({', '.join(keys)})", f"count(*) - grouping({keys[-1]})"][: rng.randint(0, 2)]
        if keys and not sets and rng.random() < 0.4:
            rest += rng.choice([" HAVING count(*) > 1", f" HAVING c{len(keys)} IS NOT NULL", f" HAVING {self.aggregate(source)} IS NOT NULL"])
        return self.text_of(items, source, "", rest)

    def sets(self, keys: list[str]) -> str:
        """Several sets of keys."""
        both = ", ".join(keys)
        return self.rng.choice([f"ROLLUP ({both})", f"CUBE ({both})", f"GROUPING SETS (({both}), {keys[0]}, ())", f"GROUPING SETS ({keys[-1]}, ({both}), {keys[-1]})",
                                f"{keys[0]}, ROLLUP ({both})", f"ROLLUP (({both}))"])

    def windowed(self, depth: int) -> tuple[str, list[str]]:
        """Windows over rows that have an order without ties, or need none."""
        rng = self.rng
        source = qualified(Relation(f"'{{{rng.choice('abc')}}}' x", "x", ["id", *INTS], TEXTS))
        if rng.random() < 0.4:
            source = self.joined(source, qualified(self.relation(depth + 1)))
        by = rng.choice([self.int_column(source), self.text_column(source)])
        x, s = self.int_column(source), self.text_column(source)
        calls = [f"CAST(sum({x}) OVER (PARTITION BY {by}) AS BIGINT)", f"rank() OVER (PARTITION BY {by} ORDER BY {x})", f"dense_rank() OVER (ORDER BY {s} DESC)",
                 f"count({s}) OVER (PARTITION BY {by} ORDER BY {x})", f"min({x}) OVER w", f"max({s}) OVER w"]
        items = [self.int(source), rng.choice(calls), rng.choice(calls)]
        body, columns = self.text_of(items, source, "")
        if "OVER w" in body:
            body += f" WINDOW w AS (PARTITION BY {by} ORDER BY {x})"
        if rng.random() < 0.4:
            body += rng.choice([" QUALIFY c1 IS NOT NULL", f" QUALIFY rank() OVER (PARTITION BY {by} ORDER BY {x} DESC) <= 2"])
        return body, columns

    def set_operation(self) -> str:
        """Two or three queries of the same columns."""
        rng = self.rng
        if rng.random() < 0.2:
            a, b = self.source(1, 1), self.source(1, 1)
            names = rng.choice([("c0", "c1"), ("c1", "c0"), ("c0", "c2")])
            return (f"SELECT {self.int(a)} AS c0, {self.int(a)} AS c1 FROM {a.text} {rng.choice(['UNION', 'UNION ALL'])} BY NAME "
                    f"SELECT {self.int(b)} AS {names[0]}, {self.int(b)} AS {names[1]} FROM {b.text}")
        parts = []
        for _ in range(rng.randint(2, 3)):
            source = self.source(1, 1)
            parts.append(f"SELECT {self.int(source)}, {self.text(source)} FROM {source.text}{self.where(source)}")
        text = parts[0]
        for part in parts[1:]:
            text += f" {rng.choice(['UNION ALL', 'UNION ALL', 'UNION', 'EXCEPT', 'INTERSECT', 'EXCEPT ALL', 'INTERSECT ALL'])} {part}"
        return text


def qualified(relation: Relation) -> Relation:
    """Its columns with its name in front."""
    return Relation(relation.text, relation.name, [f"{relation.name}.{c}" for c in relation.ints], [f"{relation.name}.{c}" for c in relation.texts])


def check(case: Case, binary: str, folder: Path) -> str | None:
    """The difference, if there is one."""
    paths = {name: str(stored.write(case.rng, table, folder / name, case.rng.choice([1, 2, 5]), "parquet")) for name, table in case.tables.items()}
    connection = duckdb.connect(config={"threads": 1})
    globs = {name: f"{path}/*.parquet" for name, path in paths.items()}
    try:
        expected = harness.rows_of(connection.sql(case.query.format(**globs)).to_arrow_table())
    except duckdb.Error as error:
        return f"{case.query}\nDuckDB: {error}"
    query = case.query.format(**paths)
    for way in (harness.random_way(case.rng) for _ in range(2)):
        try:
            found = harness.rows_of(harness.run_dframe(binary, ["sql", query], way, folder / "out.parquet"))
        except ValueError as error:
            return f"{case.query}\n{error}"
        problem = harness.difference(expected, found)
        if problem is None and case.ordered and expected != found:
            problem = "the order differs"
        if problem:
            return f"{case.query} {way}\n{problem}"
    return None


if __name__ == "__main__":
    sys.exit(harness.main(__doc__.splitlines()[0], random_case, check))

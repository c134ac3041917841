"""Random queries, and their text for both engines."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from aggregates import Aggregates, Output
from expressions import Expr, Grammar, column, literal, template
from tables import RandomTable


@dataclass(frozen=True)
class SortKey:
    """A column of the result or an expression over the input, and a direction."""

    dframe: str
    duck: str
    direction: str
    output: str | None


@dataclass(frozen=True)
class Query:
    """A query of `groupby` or `select`."""

    command: str
    keys: list[Output] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    where: Expr | None = None
    having: Expr | None = None
    sort: list[SortKey] = field(default_factory=list)
    limit: int | None = None
    offset: int | None = None
    distinct: bool = False

    @property
    def columns(self) -> list[Output]:
        """The columns of the result."""
        return self.keys + self.outputs

    @property
    def order_is_total(self) -> bool:
        """Whether both engines must give all rows in one order."""
        sorted_by = {key.output for key in self.sort}
        if self.command == "groupby":
            return bool(self.sort) and sorted_by >= {key.name for key in self.keys}
        if self.sort:
            return sorted_by >= {output.name for output in self.outputs}
        return not self.distinct

    def ordered_columns(self) -> list[int]:
        """The columns whose values come in a given order."""
        if self.order_is_total:
            return list(range(len(self.columns)))
        sorted_by = [key.output for key in self.sort]
        return [index for index, output in enumerate(self.columns) if output.name in sorted_by]


def random_query(rng: random.Random, table: RandomTable) -> Query:
    """A query over the columns of `table`."""
    grammar = Grammar(rng, table)
    where = grammar.predicate() if rng.random() < 0.45 else None
    if rng.random() < 0.6:
        return random_group_by(rng, grammar, where)
    return random_select(rng, grammar, where)


def random_group_by(rng: random.Random, grammar: Grammar, where: Expr | None) -> Query:
    """Up to four keys and eight aggregates."""
    aggregates = Aggregates(rng, grammar)
    count = rng.choices([0, 1, 2, 3, 4], [2, 5, 3, 2, 1])[0]
    keys = [Output(f"k{index}", key(rng, grammar)) for index in range(count)]
    outputs = [aggregates.output(f"a{index}") for index in range(rng.randint(1, 8))]
    sort, limit = [], None
    if keys and rng.random() < 0.5:
        exact = [output for output in outputs if output.comparable]
        first = [rng.choice(exact)] if exact and rng.random() < 0.3 else []
        by_keys = rng.sample(keys, len(keys) if rng.random() < 0.8 else 1)
        sort = [sort_key(rng, output) for output in first + by_keys]
        if len(by_keys) == len(keys) and rng.random() < 0.5:
            limit = rng.choice([0, 1, 3, 10, 100])
    having = random_having(rng, grammar) if rng.random() < 0.2 else None
    return Query("groupby", keys, outputs, where, having, sort, limit)


def key(rng: random.Random, grammar: Grammar) -> Expr:
    """A column, or sometimes an expression."""
    return grammar.scalar() if rng.random() < 0.3 else column(grammar.pick())


def sort_key(rng: random.Random, output: Output) -> SortKey:
    """A column of the result in any direction."""
    return SortKey(output.name, output.name, direction(rng), output.name)


def direction(rng: random.Random) -> str:
    """Which way to sort."""
    return rng.choice(["", "", "ASC", "DESC", "DESC", "NULLS FIRST", "DESC NULLS FIRST", "DESC NULLS LAST"])


def random_having(rng: random.Random, grammar: Grammar) -> Expr:
    """A condition on exact aggregates."""
    source = grammar.pick()
    x = column(source)
    pattern = rng.choice(
        [
            "count(*) > 1",
            "count({0}) > 2",
            "max({0}) > {1}",
            "min({0}) IS NOT NULL",
            "count(DISTINCT {0}) = 1",
            "min({0}) <= {1} OR count(*) = 1",
        ]
    )
    return template("bool", pattern, x, literal(rng, source))


def random_select(rng: random.Random, grammar: Grammar, where: Expr | None) -> Query:
    """Up to six expressions; sorted by all of them, by some, or not."""
    outputs = [Output(f"s{index}", grammar.scalar()) for index in range(rng.randint(1, 6))]
    if rng.random() < 0.05:
        outputs = [Output(source.name, column(source)) for source in grammar.columns]
    distinct = rng.random() < 0.25
    sort = []
    if rng.random() < 0.5:
        by = rng.sample(outputs, len(outputs) if rng.random() < 0.8 else rng.randint(1, len(outputs)))
        sort = [sort_key(rng, output) for output in by]
        if not distinct and rng.random() < 0.2:
            hidden = grammar.scalar()
            sort.insert(0, SortKey(hidden.dframe, hidden.duck, direction(rng), None))
    query = Query("select", outputs=outputs, where=where, sort=sort, distinct=distinct)
    if query.order_is_total and rng.random() < 0.5:
        limit = rng.choice([0, 1, 5, 100, 1000])
        offset = rng.choice([None, None, 1, 7, 500])
        return Query("select", [], outputs, where, None, sort, limit, offset, distinct)
    return query


def dframe_args(query: Query, files: list[Path]) -> list[str]:
    """The arguments of the command, without the way it is run."""
    args = [query.command, *map(str, files)]
    if query.keys:
        args.append(f"--by={listed(query.keys)}")
    args.append(f"--{'agg' if query.command == 'groupby' else 'columns'}={listed(query.outputs)}")
    if query.where:
        args.append(f"--where={query.where.dframe}")
    if query.having:
        args.append(f"--having={query.having.dframe}")
    if query.sort:
        args.append("--sort=" + ", ".join(f"{key.dframe} {key.direction}".strip() for key in query.sort))
    if query.limit is not None:
        args.append(f"--limit={query.limit}")
    if query.offset is not None:
        args.append(f"--offset={query.offset}")
    return args + (["--distinct"] if query.distinct else [])


def listed(outputs: list[Output]) -> str:
    """A select list in dframe's dialect."""
    return ", ".join(f"{output.expr.dframe} AS {output.name}" for output in outputs)


def duck_sql(query: Query, files: list[Path], scales: bool = True) -> str:
    """The query for DuckDB; `scales` adds the columns that tell how exact the others are."""
    items = [f"{output.expr.duck} AS {output.name}" for output in query.columns]
    if scales:
        items += [f"{output.scale} AS scale_{output.name}" for output in query.columns if output.scale]
    names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    distinct = "DISTINCT " if query.distinct else ""
    clauses = [
        f"SELECT {distinct}{', '.join(items)}",
        f"FROM read_parquet([{names}], filename = true, file_row_number = true)",
    ]
    if query.where:
        clauses.append(f"WHERE {query.where.duck}")
    if query.keys:
        clauses.append("GROUP BY " + ", ".join(str(index + 1) for index in range(len(query.keys))))
    if query.having:
        clauses.append(f"HAVING {query.having.duck}")
    if query.sort:
        clauses.append("ORDER BY " + ", ".join(f"{key.duck} {key.direction}".strip() for key in query.sort))
    if query.limit is not None:
        clauses.append(f"LIMIT {query.limit}")
    if query.offset is not None:
        clauses.append(f"OFFSET {query.offset}")
    return "\n".join(clauses)

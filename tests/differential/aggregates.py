"""Random aggregates, each with what its rounding errors are measured by.

dframe's sums of floats are exact until the end; DuckDB's are not. How far DuckDB may be off depends on
the values that were added, not on the sum: so a query asks DuckDB for that scale in a column of its own.
"""

import random
from dataclasses import dataclass

from expressions import Expr, Grammar, column, literal, template

MOMENTS = ["var_samp", "var_pop", "stddev_samp", "stddev_pop", "variance", "stddev"]
PAIRS = ["corr", "covar_samp", "covar_pop"]


@dataclass(frozen=True)
class Output:
    """A column of the result."""

    name: str
    expr: Expr
    scale: str | None = None
    """DuckDB's text for the scale of rounding errors; None if relative to the value itself."""
    root: bool = False
    """Whether the scale is that of the square."""
    comparable: bool = True
    """Whether the value is exact, so that results can be ordered or filtered by it."""


def finite(x: Expr, measure: str) -> str:
    """DuckDB's text of `measure` of `x`, where `x` is a finite number."""
    value = f"({x.duck})::DOUBLE"
    return f"CASE WHEN isfinite({value}) THEN {measure.format(value)} END"


class Aggregates:
    """Aggregates over the columns of a table."""

    def __init__(self, rng: random.Random, grammar: Grammar):
        self.rng = rng
        self.grammar = grammar

    def argument(self, *families: str) -> Expr:
        """What is aggregated: mostly a column."""
        source = self.grammar.pick(*families)
        if source and self.rng.random() < 0.7:
            return column(source)
        return self.grammar.scalar(*families)

    def output(self, name: str) -> Output:
        """A random aggregate, or something computed from one or two."""
        if self.rng.random() < 0.12:
            return self.composed(name)
        makers = [self.count, self.sum, self.mean, self.extreme, self.moment, self.pick_row, self.boolean, self.pair]
        maker = self.rng.choices(makers, [3, 5, 3, 5, 2, 2, 2, 1])[0]
        return maker(name)

    def filtered(self, call: Expr) -> tuple[Expr, str]:
        """The call, sometimes with a FILTER; and DuckDB's text of the filter for the scale."""
        if self.rng.random() > 0.15:
            return call, ""
        condition = self.grammar.comparison()
        pattern = "{0} FILTER (WHERE {1})"
        return template(call.family, pattern, call, condition), f" FILTER (WHERE {condition.duck})"

    def distinct(self) -> str:
        """Sometimes DISTINCT."""
        return "DISTINCT " if self.rng.random() < 0.2 else ""

    def count(self, name: str) -> Output:
        """Of rows, of values, of different values."""
        if self.rng.random() < 0.4:
            call = Expr("count(*)", "count(*)", "int")
        else:
            call = template("int", f"count({self.distinct()}{{0}})", self.argument())
        return Output(name, self.filtered(call)[0])

    def sum(self, name: str) -> Output:
        """A sum; BIGINT for integers."""
        x = self.argument("int", "float", "float32", "dec", "int", "uint64", "bool")
        if x.family not in ("int", "float", "float32", "dec", "uint64", "bool"):
            return self.extreme(name)
        call, condition = self.filtered(template(x.family, f"sum({self.distinct()}{{0}})", x))
        if x.family in ("float", "float32"):
            scale = f"sum({finite(x, 'abs({})')}){condition}"
            return Output(name, call, scale, comparable=False)
        if x.family == "dec":
            return Output(name, call)
        return Output(name, Expr(call.dframe, f"CAST({call.duck} AS BIGINT)", "int"))

    def mean(self, name: str) -> Output:
        """A mean."""
        x = self.argument("int", "float", "dec", "uint64")
        if x.family not in ("int", "float", "float32", "dec", "uint64"):
            return self.extreme(name)
        call, condition = self.filtered(template("float", f"avg({self.distinct()}{{0}})", x))
        return Output(name, call, f"avg({finite(x, 'abs({})')}){condition}", comparable=False)

    def extreme(self, name: str) -> Output:
        """The smallest or largest value of any type."""
        x = self.argument()
        call, _ = self.filtered(template(x.family, self.rng.choice(["min({0})", "max({0})"]), x))
        return Output(name, call)

    def moment(self, name: str) -> Output:
        """Variance and standard deviation."""
        x = self.argument("int", "float", "dec")
        if x.family not in ("int", "float", "float32", "dec"):
            return self.count(name)
        function = self.rng.choice(MOMENTS)
        call, condition = self.filtered(template("float", f"{function}({{0}})", x))
        scale = f"avg(({x.duck})::DOUBLE * ({x.duck})::DOUBLE){condition}"
        return Output(name, call, scale, root="std" in function, comparable=False)

    def pair(self, name: str) -> Output:
        """Correlation and covariance of two columns."""
        x, y = self.argument("int", "float", "dec"), self.argument("int", "float", "dec")
        if any(arg.family not in ("int", "float", "float32", "dec") for arg in (x, y)):
            return self.count(name)
        function = self.rng.choice(PAIRS)
        call, condition = self.filtered(template("float", f"{function}({{0}}, {{1}})", x, y))
        squares = [f"avg(({arg.duck})::DOUBLE * ({arg.duck})::DOUBLE){condition}" for arg in (x, y)]
        if function == "corr":
            spreads = [f"nullif(var_pop({finite(arg, '{}')}){condition}, 0)" for arg in (x, y)]
            ratios = [f"coalesce({square} / {spread}, 'inf'::DOUBLE)" for square, spread in zip(squares, spreads)]
            return Output(name, call, " + ".join(ratios), comparable=False)
        return Output(name, call, " + ".join(squares), comparable=False)

    def pick_row(self, name: str) -> Output:
        """The value of the first or last row, which has a meaning as files are read in order."""
        x = self.argument()
        function = self.rng.choice(["first", "last", "any_value"])
        call = Expr(f"{function}({x.dframe})", f"{function}({x.duck} ORDER BY filename, file_row_number)", x.family)
        return Output(name, self.filtered(call)[0])

    def boolean(self, name: str) -> Output:
        """Whether a condition holds for all or for any row."""
        x = self.grammar.comparison() if self.rng.random() < 0.7 else self.argument("bool")
        if x.family != "bool":
            x = self.grammar.comparison()
        return Output(name, self.filtered(template("bool", self.rng.choice(["bool_and({0})", "bool_or({0})"]), x))[0])

    def composed(self, name: str) -> Output:
        """Something computed from aggregates."""
        source = self.grammar.pick("int", "float", "dec")
        any_source = self.grammar.pick()
        value = column(any_source)
        if source is None or self.rng.random() < 0.4:
            pattern, family = self.rng.choice(
                [
                    ("count(*) - count({0})", "int"),
                    ("count({0}) / count(*)", "float"),
                    ("count(DISTINCT {0}) * 2 + 1", "int"),
                    ("coalesce(min({0}), {1})", value.family),
                    ("CASE WHEN count(*) > 2 THEN max({0}) END", value.family),
                    ("max({0}) = min({0})", "bool"),
                    ("max({0}) IS NULL", "bool"),
                ]
            )
            return Output(name, template(family, pattern, value, literal(self.rng, any_source)))
        x = column(source).wide()
        scale = f"2.5 * sum({finite(x, 'abs({})')}) + 1"
        total = Expr(
            f"sum({x.dframe})", f"CAST(sum({x.duck}) AS BIGINT)" if x.family == "int" else f"sum({x.duck})", x.family
        )
        pattern = self.rng.choice(
            ["{1} / count(*)", "{1} / count({0})", "avg({0}) + 1", "{1}::DOUBLE * 2.5e0", "coalesce(avg({0}), 0)"]
        )
        return Output(name, template("float", pattern, x, total), scale, comparable=False)

"""Differences that are no bugs: where dframe answers otherwise than DuckDB, and means to.

Each rule has a name, which README.md explains, and looks at the two outcomes.
"""

from engines import Outcome
from queries import Query


def accepted(query: Query, duck: Outcome, dframe: Outcome) -> str | None:
    """The name of the rule that allows one engine to fail where the other does not; None if none does."""
    for name, rule in RULES.items():
        if rule(query, duck.error or "", dframe.error or ""):
            return name
    return None


def moments_out_of_range(_query: Query, duck: str, dframe: str) -> bool:
    """DuckDB refuses a variance that is not finite."""
    return (
        not dframe and "is out of range!" in duck and any(word in duck for word in ("VAR", "STDDEV", "COVAR", "CORR"))
    )


def decimal_digits(_query: Query, duck: str, dframe: str) -> bool:
    """The engines give products and sums of decimals different numbers of digits."""
    if dframe:
        return not duck and ("too many digits" in dframe or "more than 38 digits" in dframe)
    return (
        "HUGEINT" in duck or "DECIMAL" in duck and ("Overflow" in duck or "out of range" in duck or "too big" in duck)
    )


def decimal_256(_query: Query, duck: str, dframe: str) -> bool:
    """dframe's functions do not take decimals of 256 bits, to which DuckDB narrows what it reads."""
    return not duck and "is too wide a number" in dframe


def sum_not_shown(query: Query, duck: str, dframe: str) -> bool:
    """A sum of a group that HAVING or LIMIT drops overflows: dframe finishes every group."""
    drops = query.having is not None or query.limit is not None
    return drops and not duck and "does not fit a 64-bit integer" in dframe


def evaluated_lazily(query: Query, duck: str, dframe: str) -> bool:
    """LIMIT and OFFSET decide which rows an engine computes, so one may not meet a value that fails."""
    return (query.limit is not None or query.offset is not None) and (not duck or not dframe)


RULES = {
    "moments-out-of-range": moments_out_of_range,
    "decimal-digits": decimal_digits,
    "decimal-256": decimal_256,
    "sum-not-shown": sum_not_shown,
    "limit-hides-error": evaluated_lazily,
}

//! Parsing what is typed after `--agg` and `--where`.

use dframe::expr::Expr;

/// From a word to a line.
#[divan::bench(args = [
    "price",
    "sum(price * size) / sum(size) as vwap, count(*) as n",
    "date_trunc('hour', ts) as hour, case when side = 'B' then size else -size end as signed, \
     round(price * size * (1 - 0.01), 2) as net, ticker like 'A%' or exchange in ('XNAS', 'ARCX')",
])]
fn parse(text: &str) -> Vec<Expr> {
    dframe::sql::parse_exprs(text).expect("the text is right")
}

//! Namespaces of expressions: `col("x").str()`, `.dt()`, `.list()`, each with the functions of its kind.
//!
//! They are builders over the functions of [`crate::function`]: every method is a call by name, as SQL would
//! write it. Nothing is checked here, and nothing computed.

mod dt;
mod list;
mod str;

pub use dt::Dt;
pub use list::List;
pub use str::Str;

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

    use crate::build::{col, lit};
    use crate::{Expr, bind};

    fn check(table: Vec<(Expr, &str)>) {
        let schema = Schema::new(vec![
            Field::new("s", DataType::Utf8, true),
            Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("l", DataType::new_list(DataType::Int64, true), true),
        ]);
        for (expr, text) in table {
            assert_eq!(expr.to_string(), text);
            bind(&expr, &schema).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }

    #[test]
    fn text() {
        let s = || col("s").str();
        check(vec![
            (s().contains("a.b"), "regexp_matches(s, 'a.b')"),
            (s().contains_literal("a.b"), "contains(s, 'a.b')"),
            (s().starts_with("a"), "starts_with(s, 'a')"),
            (s().ends_with("a"), "ends_with(s, 'a')"),
            (s().find("a"), "strpos(s, 'a')"),
            (s().len_chars(), "length(s)"),
            (s().len_bytes(), "strlen(s)"),
            (s().to_uppercase(), "upper(s)"),
            (s().to_lowercase(), "lower(s)"),
            (s().to_titlecase(), "initcap(s)"),
            (s().slice(0, 2), "substr(s, 1, 2)"),
            (s().slice(-2, 2), "substr(s, -2, 2)"),
            (s().head(2), "left(s, 2)"),
            (s().tail(2), "right(s, 2)"),
            (s().split(","), "string_split(s, ',')"),
            (s().split_regex("[,;]"), "regexp_split_to_array(s, '[,;]')"),
            (s().split_part(",", 2), "split_part(s, ',', 2)"),
            (s().extract("(a)(b)", 2), "regexp_extract(s, '(a)(b)', 2)"),
            (s().extract_all("a+"), "regexp_extract_all(s, 'a+')"),
            (s().count_matches("a+"), "array_length(regexp_extract_all(s, 'a+'))"),
            (s().replace("a", "b"), "regexp_replace(s, 'a', 'b')"),
            (s().replace_all("a", "b"), "regexp_replace(s, 'a', 'b', 'g')"),
            (s().replace_literal("a", "b"), "replace(s, 'a', 'b')"),
            (s().strip(), "trim(s)"),
            (s().strip_chars("xy"), "trim(s, 'xy')"),
            (s().strip_chars_start("xy"), "ltrim(s, 'xy')"),
            (s().strip_chars_end("xy"), "rtrim(s, 'xy')"),
            (s().pad_start(5, '0'), "lpad(s, greatest(length(s), 5), '0')"),
            (s().pad_end(5, '0'), "rpad(s, greatest(length(s), 5), '0')"),
            (s().zfill(5), "lpad(s, greatest(length(s), 5), '0')"),
            (s().repeat(2), "repeat(s, 2)"),
            (s().reverse(), "reverse(s)"),
            (s().concat(col("s")), "concat(s, s)"),
            (s().to_datetime("%Y"), "strptime(s, '%Y')"),
            (s().to_date("%Y"), "CAST(strptime(s, '%Y') AS DATE)"),
            (s().try_to_datetime("%Y"), "try_strptime(s, '%Y')"),
            (s().try_to_date("%Y"), "CAST(try_strptime(s, '%Y') AS DATE)"),
            (s().levenshtein("a"), "levenshtein(s, 'a')"),
        ]);
    }

    #[test]
    fn dates_and_times() {
        let t = || col("t").dt();
        check(vec![
            (t().year(), "year(t)"),
            (t().iso_year(), "isoyear(t)"),
            (t().quarter(), "quarter(t)"),
            (t().month(), "month(t)"),
            (t().week(), "week(t)"),
            (t().day(), "day(t)"),
            (t().weekday(), "isodow(t)"),
            (t().ordinal_day(), "dayofyear(t)"),
            (t().hour(), "hour(t)"),
            (t().minute(), "minute(t)"),
            (t().second(), "second(t)"),
            (t().millisecond(), "millisecond(t)"),
            (t().microsecond(), "microsecond(t)"),
            (t().part("century"), "date_part('century', t)"),
            (t().date(), "CAST(t AS DATE)"),
            (t().time(), "CAST(t AS TIME)"),
            (t().truncate("1h"), "time_bucket('1h', t)"),
            (t().round("15m"), "time_round('15m', t)"),
            (t().offset_by("1mo"), "t + CAST('1mo' AS INTERVAL)"),
            (t().month_start(), "date_trunc('month', t)"),
            (t().month_end(), "last_day(t)"),
            (t().strftime("%Y"), "strftime(t, '%Y')"),
            (t().day_name(), "dayname(t)"),
            (t().month_name(), "monthname(t)"),
            (t().epoch(), "epoch(t)"),
            (t().epoch_ms(), "epoch_ms(t)"),
            (t().epoch_us(), "epoch_us(t)"),
            (t().epoch_ns(), "epoch_ns(t)"),
            (t().replace_time_zone("Europe/Zurich"), "replace_time_zone(t, 'Europe/Zurich')"),
            (t().replace_time_zone(None), "replace_time_zone(t, NULL)"),
            (t().convert_time_zone("Europe/Zurich"), "convert_time_zone(t, 'Europe/Zurich')"),
            (t().until("day", col("t")), "date_diff('day', t, t)"),
        ]);
    }

    #[test]
    fn lists() {
        let l = || col("l").list();
        check(vec![
            (l().len(), "array_length(l)"),
            (l().get(0), "list_extract(l, 1)"),
            (l().get(-1), "list_extract(l, -1)"),
            (l().first(), "list_first(l)"),
            (l().last(), "list_last(l)"),
            (l().slice(1, 2), "list_slice(l, 2, 3)"),
            (l().head(2), "list_slice(l, 1, 2)"),
            (l().tail(2), "list_slice(l, -2, -1)"),
            (l().contains(1i64), "list_contains(l, 1)"),
            (l().position(1i64), "list_position(l, 1)"),
            (l().min(), "list_min(l)"),
            (l().max(), "list_max(l)"),
            (l().sum(), "list_sum(l)"),
            (l().mean(), "list_mean(l)"),
            (l().std(), "list_std(l)"),
            (l().var(), "list_var(l)"),
            (l().count(), "list_count(l)"),
            (l().n_unique(), "list_unique(l)"),
            (l().unique(), "list_distinct(l)"),
            (l().sort(), "list_sort(l)"),
            (l().sort_descending(), "list_reverse_sort(l)"),
            (l().reverse(), "list_reverse(l)"),
            (l().concat(col("l")), "list_concat(l, l)"),
            (l().append(lit(1i64)), "list_append(l, 1)"),
            (l().prepend(lit(1i64)), "list_prepend(1, l)"),
            (l().join(", "), "array_to_string(l, ', ')"),
            (l().aggregate("max"), "list_aggregate(l, 'max')"),
        ]);
    }
}

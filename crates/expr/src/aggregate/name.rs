//! What the functions are called: their names and the aliases other systems use.

use super::AggregateFunction;

/// The function, its name, and its aliases.
const NAMES: [(AggregateFunction, &str, &[&str]); 32] = [
    (AggregateFunction::Count, "count", &["len"]),
    (AggregateFunction::Sum, "sum", &[]),
    (AggregateFunction::Mean, "mean", &["avg"]),
    (AggregateFunction::Min, "min", &[]),
    (AggregateFunction::Max, "max", &[]),
    (AggregateFunction::VarSample, "var", &["variance", "var_samp"]),
    (AggregateFunction::VarPop, "var_pop", &[]),
    (AggregateFunction::StdSample, "std", &["stddev", "stddev_samp"]),
    (AggregateFunction::StdPop, "std_pop", &["stddev_pop"]),
    (AggregateFunction::First, "first", &["first_value"]),
    (AggregateFunction::Last, "last", &["last_value"]),
    (AggregateFunction::AnyValue, "any_value", &[]),
    (AggregateFunction::BoolAnd, "bool_and", &["every", "all"]),
    (AggregateFunction::BoolOr, "bool_or", &["any", "some"]),
    (AggregateFunction::Corr, "corr", &[]),
    (AggregateFunction::CovarSample, "covar_samp", &["covar"]),
    (AggregateFunction::CovarPop, "covar_pop", &[]),
    (AggregateFunction::Median, "median", &[]),
    (AggregateFunction::QuantileCont, "quantile_cont", &["quantile"]),
    (AggregateFunction::QuantileDisc, "quantile_disc", &[]),
    (AggregateFunction::Mode, "mode", &[]),
    (AggregateFunction::Entropy, "entropy", &[]),
    (AggregateFunction::List, "list", &["array_agg", "implode"]),
    (AggregateFunction::Skewness, "skewness", &["skew"]),
    (AggregateFunction::Kurtosis, "kurtosis", &[]),
    (AggregateFunction::KurtosisPop, "kurtosis_pop", &[]),
    (AggregateFunction::Mad, "mad", &[]),
    (AggregateFunction::ApproxCountDistinct, "approx_count_distinct", &["approx_n_unique"]),
    (AggregateFunction::ApproxQuantile, "approx_quantile", &[]),
    (AggregateFunction::ArgMin, "arg_min", &["argmin", "min_by"]),
    (AggregateFunction::ArgMax, "arg_max", &["argmax", "max_by"]),
    (AggregateFunction::StringAgg, "string_agg", &["group_concat", "listagg"]),
];

impl AggregateFunction {
    /// The function of this name or alias, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        NAMES
            .iter()
            .find(|(_, own, aliases)| *own == name || aliases.contains(&name.as_str()))
            .map(|(function, ..)| function.clone())
    }

    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::User(user) => user.name(),
            _ => NAMES
                .iter()
                .find(|(function, ..)| function == self)
                .map(|(_, name, _)| *name)
                .expect("every function but the user's own is in the table"),
        }
    }

    /// Every name and alias, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .flat_map(|(_, name, aliases)| [*name].into_iter().chain(aliases.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_a_function_of_that_name_or_its_alias() {
        for name in AggregateFunction::names() {
            assert!(AggregateFunction::parse(name).is_some(), "{name}");
        }
        let parsed = AggregateFunction::parse("STDDEV_samp");
        assert_eq!(parsed, Some(AggregateFunction::StdSample));
        assert_eq!(parsed.unwrap().name(), "std");
        assert_eq!(AggregateFunction::parse("summ"), None);
    }
}

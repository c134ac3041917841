//! The optimizer: rules that rewrite a plan into one with the same answer for less work.
//!
//! ```text
//!   plan --simplify--> --push filters--> --merge projections--> ... --prune columns--> plan
//! ```
//!
//! One ordered list, a file per rule, each a function from plan to plan. A rule may rely on what the
//! builders promise, and must keep the output schema: names, types and order. Rules know no tasks,
//! no memory and no costs but whether an expression is dear to compute twice.

mod merge_projections;
mod prune_columns;
mod push_filters;
mod push_limits;
mod remove_redundant;
mod share_sums;
mod simplify;
mod substitute;
#[cfg(test)]
mod tests;

use dframe_core::Result;

use crate::logical::LogicalPlan;

/// A rewriting of plans that keeps their answer.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What it is called in traces.
    pub name: &'static str,
    /// The rewriting.
    pub apply: fn(LogicalPlan) -> Result<LogicalPlan>,
}

/// The rules, in the order in which they run. Pushing filters makes new constants, pruning leaves
/// projections that do nothing: those two rules run again.
pub const RULES: [Rule; 10] = [
    Rule { name: "simplify expressions", apply: simplify::apply },
    Rule { name: "push filters down", apply: push_filters::apply },
    Rule { name: "simplify expressions again", apply: simplify::apply },
    Rule { name: "merge projections", apply: merge_projections::apply },
    Rule { name: "share sums", apply: share_sums::apply },
    Rule { name: "remove redundant sorts", apply: remove_redundant::apply },
    Rule { name: "push limits down", apply: push_limits::apply },
    Rule { name: "remove redundant limits", apply: remove_redundant::apply },
    Rule { name: "prune columns", apply: prune_columns::apply },
    Rule { name: "merge projections again", apply: merge_projections::apply },
];

/// An ordered list of rules.
#[derive(Clone, Debug)]
pub struct Optimizer {
    rules: Vec<Rule>,
}

impl Default for Optimizer {
    /// All rules.
    fn default() -> Self {
        Self { rules: RULES.to_vec() }
    }
}

/// A rule that changed the plan, and what the plan was after it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The rule's name.
    pub rule: &'static str,
    /// The plan after it.
    pub plan: LogicalPlan,
}

impl Optimizer {
    /// No rules: plans stay as they were built.
    pub fn off() -> Self {
        Self { rules: vec![] }
    }

    /// `rules`, in that order.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// The plan after all rules.
    ///
    /// # Errors
    /// Only bugs: a plan that was built can be optimized.
    pub fn optimize(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        self.rules.iter().try_fold(plan, |plan, rule| (rule.apply)(plan))
    }

    /// The plan after each rule that changed it.
    ///
    /// # Errors
    /// As [`Optimizer::optimize`].
    pub fn trace(&self, plan: LogicalPlan) -> Result<Vec<Step>> {
        let (mut steps, mut plan, mut text) = (vec![], plan.clone(), plan.explain());
        for rule in &self.rules {
            plan = (rule.apply)(plan)?;
            let after = plan.explain();
            if after != text {
                steps.push(Step { rule: rule.name, plan: plan.clone() });
                text = after;
            }
        }
        Ok(steps)
    }
}

/// `plan` after all rules of the default [`Optimizer`].
///
/// # Errors
/// Only bugs: a plan that was built can be optimized.
pub fn optimize(plan: LogicalPlan) -> Result<LogicalPlan> {
    Optimizer::default().optimize(plan)
}

/// `plan` after each rule of the default [`Optimizer`] that changed it.
///
/// # Errors
/// As [`optimize`].
pub fn optimize_with_trace(plan: LogicalPlan) -> Result<Vec<Step>> {
    Optimizer::default().trace(plan)
}

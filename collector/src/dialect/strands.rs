//! Strands Agents: several names for each number, and the agent's span sums its calls under the same names.
//!
//! Before version 1 the input excluded cached tokens for Anthropic and Bedrock and nothing else was said of them; the
//! scope carries no version. Where cached tokens are said and lie beside the input, the total proves it.

use super::{
    Dialect,
    evidence::{Evidence, Recognised},
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "strands",
    scopes: &["strands.telemetry.tracer", "strands-agents"],
    telltales: &[],
    keys: &[],
    read,
};

fn read<'a>(evidence: &Evidence<'_, 'a>) -> Recognised<'a> {
    evidence.by_operation()
}

//! What a look at the content finds, and how deep it goes.

use litekeel_core::Error;
use litekeel_core::{Hazard, HazardLevel};

/// How deep the content is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    Header,
    Quick,
    Full,
}

/// A failure is a finding too.
pub fn failed(check: &'static str, error: &Error) -> Hazard {
    Hazard::new(check, HazardLevel::Problem, error.message(), error.hint())
}

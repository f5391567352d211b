//! What open found and did, and what close left.

/// What open found and did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OpenReport {}

/// What close did and left.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CloseReport {}

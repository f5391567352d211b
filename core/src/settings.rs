//! The settings of a connection: names, types, ranges, defaults, profiles.

/// What a host passes beside the URL: the same keys as the URL's query, and what only a call can say.
#[derive(Clone, Debug, Default)]
pub struct Options {}

/// Every setting resolved.
#[derive(Clone, Debug, Default)]
pub struct Settings {}

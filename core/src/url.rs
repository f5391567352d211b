//! Text → target and parameters.

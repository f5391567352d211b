//! Link arguments of the shared object.
fn main() {}

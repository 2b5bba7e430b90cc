//! The raw limits.
fn main() {}

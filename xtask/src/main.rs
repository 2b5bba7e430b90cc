//! What needs more than cargo: serve, test, bench, tidy.
fn main() {}

//! cargo, called from a program that cargo runs.

use std::env;
use std::process::Command;

use crate::checkout::Checkout;

/// A cargo command in the workspace.
///
/// `cargo run` describes xtask's own package to us in the environment. Build scripts that watch those variables would
/// see them change between `cargo test` and `cargo xtask test` and build again, so they are not passed on.
pub(crate) fn command(checkout: &Checkout) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(checkout.root());
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(describes_a_package) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_a_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

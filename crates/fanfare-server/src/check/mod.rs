//! `fanfare check`: is that server right?

use std::process::ExitCode;

/// Which server is checked, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the server is, such as http://127.0.0.1:3000
    url: String,
}

/// Checks the server, prints what was found, and gives the program's exit code.
pub(crate) async fn run(args: Args) -> ExitCode {
    let _ = args.url;
    ExitCode::from(2)
}

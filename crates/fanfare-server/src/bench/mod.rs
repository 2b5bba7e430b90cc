//! `fanfare bench`: many clients for that server, whoever made it, and what it made of them.

mod args;
mod progress;

use std::{
    fs,
    io::{self, Write as _},
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use fanfare_client::Address;
use fanfare_load::{Length, Load, LoadError, Report, Swarm, page, table};

pub(crate) use args::Args;

use progress::Bar;

/// Loads the server, prints what was found, and gives the program's exit code: 0 if all was right, 1 if the server did
/// something wrong, 2 if it could not be loaded.
///
/// It keeps its thread busy until then.
pub(crate) fn run(args: &Args) -> ExitCode {
    match load(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A terminal that is gone can't be told.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            let error = error.downcast_ref::<LoadError>();
            match error.is_some_and(LoadError::is_the_servers) {
                true => ExitCode::from(WRONG),
                false => ExitCode::from(NOT_LOADED),
            }
        }
    }
}

fn load(args: &Args) -> anyhow::Result<()> {
    let load = Load {
        host: args.address.authority(),
        path: args.path.clone(),
        transport: args.transport,
        header_bytes: args.header_bytes.into(),
        compression: args.compression,
        server_pid: args.pid,
        length: if args.brief {
            Length::Brief
        } else {
            Length::Full
        },
        within: args.within,
        ..Load::new(reachable(&args.address)?, args.clients as usize)
    };
    let mut swarm = Swarm::new(load)?;
    let bar = Bar::new();
    swarm.watch(bar.observer())?;
    let report = args.scenario.run(swarm);
    bar.clear();
    let report = report?;
    if let Some(file) = &args.html {
        let page = page(&report, &args.address.to_string());
        fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))?;
    }
    // Whoever has read enough may close the pipe.
    let _ = match args.json {
        true => writeln!(io::stdout(), "{}", report.json()),
        false => io::stdout().write_all(told(args, &report).as_bytes()),
    };
    Ok(())
}

/// The report as people read it.
fn told(args: &Args, report: &Report) -> String {
    let mut text = format!(
        "{}: {}, {} clients over {}\n\n{}",
        args.address,
        report.scenario,
        report.clients,
        report.transport,
        table(report)
    );
    if args.pid.is_none() {
        text.push_str("\nWith --pid, the server's CPU time and memory are measured, too.\n");
    }
    text
}

/// Where `address` leads, and somebody listens.
fn reachable(address: &Address) -> anyhow::Result<SocketAddr> {
    let resolved = address.authority().to_socket_addrs();
    let mut last = None;
    for target in resolved.with_context(|| format!("{address} leads nowhere"))? {
        match TcpStream::connect_timeout(&target, REACH_TIMEOUT) {
            Ok(_) => return Ok(target),
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(error).with_context(|| {
            format!(
                "no server is reached at {address}; start it, or name the address at which it is"
            )
        }),
        None => bail!("{address} leads nowhere: the name has no address"),
    }
}

const REACH_TIMEOUT: Duration = Duration::from_secs(5);
const WRONG: u8 = 1;
const NOT_LOADED: u8 = 2;

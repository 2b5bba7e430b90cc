//! Listening: at which addresses, and what to say when one is taken.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use anyhow::{Result, anyhow};
use fanfare::{Io, Listener, ServeError};

/// Takes the `addresses`, or the default ones if there are none.
///
/// # Errors
///
/// A sentence that names the address which can't be had; if it is taken, with a command that works.
pub(crate) async fn bind(io: &Io, addresses: &[SocketAddr]) -> Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for address in if addresses.is_empty() {
        &DEFAULT[..]
    } else {
        addresses
    } {
        match io.bind(*address).await {
            Ok(listener) => listeners.push(listener),
            Err(ServeError::Listen { source, .. }) if source.kind() == ErrorKind::AddrInUse => {
                drop(listeners);
                let asked = if addresses.is_empty() {
                    &DEFAULT[..1]
                } else {
                    addresses
                };
                return Err(taken(*address, asked));
            }
            Err(error) if addresses.is_empty() && address.is_ipv6() => {
                tracing::info!(
                    "not listening on {address}, this machine seems to have no IPv6: {error}"
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(listeners)
}

fn taken(address: SocketAddr, asked: &[SocketAddr]) -> anyhow::Error {
    let program = std::env::var("FANFARE_COMMAND").unwrap_or_else(|_| "fanfare serve".to_owned());
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let free: Option<Vec<SocketAddr>> = asked.iter().map(|address| free_from(*address)).collect();
    let advice = match free {
        Some(free) => format!(
            "this works now:\n\n    {}\n",
            command(&program, &words, &free)
        ),
        None => "--listen takes another".to_owned(),
    };
    anyhow!("{address} is taken, another program listens there; {advice}")
}

/// The address, or the same with the next port that is free.
fn free_from(address: SocketAddr) -> Option<SocketAddr> {
    let ports = address.port()..=address.port().saturating_add(PORTS_TRIED);
    let mut candidates = ports.map(|port| SocketAddr::new(address.ip(), port));
    candidates.find(|candidate| TcpListener::bind(candidate).is_ok())
}

/// The command that was given as `program` and `words`, with other addresses.
fn command(program: &str, words: &[String], addresses: &[SocketAddr]) -> String {
    let mut command = program.to_owned();
    let mut words = words.iter().skip_while(|word| *word == "serve");
    while let Some(word) = words.next() {
        if word == "--listen" {
            words.next();
        } else if !word.starts_with("--listen=") {
            command.extend([" ", &quoted(word)]);
        }
    }
    for address in addresses {
        command.extend([" --listen ", &quoted(&address.to_string())]);
    }
    command
}

/// The word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_=.,:/@%+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Where the room is without `--listen`: on this machine alone. A browser may take either for `localhost`.
const DEFAULT: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 3000),
];

const PORTS_TRIED: u16 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], addresses: &[&str], expected: &str) {
        let words: Vec<String> = words.iter().copied().map(str::to_owned).collect();
        let addresses: Vec<SocketAddr> = addresses
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
        assert_eq!(command("fanfare serve", &words, &addresses), expected);
    }

    #[test]
    fn the_command_is_the_one_given_but_for_its_addresses() {
        let four = "127.0.0.1:3001";
        check(&[], &[four], "fanfare serve --listen 127.0.0.1:3001");
        check(&["serve"], &[four], "fanfare serve --listen 127.0.0.1:3001");
        check(
            &[
                "serve",
                "--listen",
                "127.0.0.1:3000",
                "--log=debug",
                "--listen=[::1]:3000",
                "--database",
                "my file",
            ],
            &[four, "[::1]:3001"],
            "fanfare serve --log=debug --database 'my file' --listen 127.0.0.1:3001 --listen '[::1]:3001'",
        );
        check(
            &["--origin", "it's"],
            &[four],
            "fanfare serve --origin 'it'\\''s' --listen 127.0.0.1:3001",
        );
    }

    #[test]
    fn the_next_free_port_is_found() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let free = free_from(address).unwrap();
        assert!(
            free.ip() == address.ip() && address.port() < free.port(),
            "{free}"
        );
    }
}

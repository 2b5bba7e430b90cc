//! The balancer: haproxy, which keeps a browser on one node.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use fanfare_daemons::{Daemon, Folder, Signal, comes_true};

use super::Node;

/// Starts it in front of the `nodes`.
///
/// # Errors
///
/// If it does not start; what it says about it.
pub(super) fn start(haproxy: &Path, listen: SocketAddr, nodes: &[Node]) -> Result<Daemon> {
    let folder = Folder::new("haproxy")?;
    let file = folder.path().join("haproxy.cfg");
    let servers = nodes.iter().map(|node| (&*node.name, node.address));
    fs::write(&file, config(listen, servers)).context("haproxy's settings can't be written")?;
    let words = [
        "-db".to_owned(),
        "-f".to_owned(),
        file.display().to_string(),
    ];
    let daemon = Daemon::start(haproxy, &words, folder, Signal::Terminate)?;
    if !comes_true(|| TcpStream::connect(listen).is_ok()) {
        bail!("haproxy did not start: {}", daemon.log());
    }
    Ok(daemon)
}

/// Requests of one polling session have to come to one node, which a cookie sees to. Polls and WebSockets are quiet for
/// as long as 25 s between two pings, so nobody is cut off before a minute.
fn config<'a>(listen: SocketAddr, nodes: impl Iterator<Item = (&'a str, SocketAddr)>) -> String {
    let mut text = format!(
        "\
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
    option redispatch

frontend room
    bind {listen}
    default_backend nodes

backend nodes
    balance roundrobin
    cookie fanfare_node insert indirect nocache httponly
    option forwardfor
    option httpchk GET /healthz
"
    );
    for (name, address) in nodes {
        writeln!(
            text,
            "    server {name} {address} cookie {name} check inter 1s fall 2 rise 1"
        )
        .expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_has_a_cookie_of_its_own() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let config = config(at(3000), [("a", at(1)), ("b", at(2))].into_iter());
        for line in [
            "    bind 127.0.0.1:3000",
            "    server a 127.0.0.1:1 cookie a check inter 1s fall 2 rise 1",
            "    server b 127.0.0.1:2 cookie b check inter 1s fall 2 rise 1",
        ] {
            assert!(config.lines().any(|other| other == line), "{config}");
        }
    }
}

//! The raw loop under the load generator: each keeps the other honest.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fanfare_load::{Leaving, Load, LoadError, Paced, Swarm, burst, idle, paced, storm};

#[test]
fn a_storm_rises_to_all_and_falls_to_half() {
    for sending in ["write", "gather"] {
        let server = Rawcast::start(sending, "lesson");
        let report = storm(&mut server.swarm(101), Leaving::Half).expect(sending);
        assert_eq!((report.clients, report.told_every_number), (101, 101));
        assert_eq!(
            report.rise.messages,
            101 * 102 / 2,
            "each join is told to all who are there"
        );
        assert_eq!(
            report.fall.expect("half were cut").messages,
            50 * 51,
            "each cut is told to all who stay"
        );
    }
}

#[test]
fn everybody_is_told_each_message_once_and_in_order() {
    for sending in ["write", "gather"] {
        let server = Rawcast::start(sending, "say");
        assert_eq!(
            paced(&mut server.swarm(8), &Paced::default())
                .expect(sending)
                .messages,
            5_000
        );
        assert_eq!(burst(&mut server.swarm(8)).expect(sending).messages, 1_000);
    }
}

#[test]
fn idle_clients_are_held() {
    let server = Rawcast::start("write", "say");
    let report = idle(&mut server.swarm(50), Duration::ZERO).expect("all join");
    assert!(report.server_us_per_join.is_some() && report.private_bytes_per_client.is_some());
}

#[test]
fn a_server_that_does_not_count_ends_a_storm_by_its_deadline() {
    let server = Rawcast::start("write", "say");
    let load = Load {
        within: Duration::from_millis(200),
        ..server.load(3)
    };
    let error = storm(
        &mut Swarm::new(load).expect("three sockets"),
        Leaving::Nobody,
    )
    .expect_err("nobody is told");
    assert!(
        matches!(
            error,
            LoadError::Unanswered {
                event: "user count",
                ..
            }
        ),
        "{error}"
    );
}

/// A running `rawcast`; killed when this goes out of scope.
struct Rawcast {
    child: Child,
    address: SocketAddr,
}

impl Rawcast {
    fn start(sending: &str, play: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rawcast"))
            .args(["--sending", sending, "--play", play, "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo has built rawcast");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("rawcast says where it listens");
        let address = line
            .trim_end()
            .strip_prefix("listening on ")
            .expect("rawcast says where it listens");
        Self {
            address: address.parse().expect("an address"),
            child,
        }
    }

    fn load(&self, clients: usize) -> Load {
        Load {
            server_pid: Some(self.child.id()),
            within: Duration::from_secs(60),
            ..Load::new(self.address, clients)
        }
    }

    fn swarm(&self, clients: usize) -> Swarm {
        Swarm::new(self.load(clients)).expect("so many sockets are allowed")
    }
}

impl Drop for Rawcast {
    fn drop(&mut self) {
        // Both fail only if it has ended by itself, which the test has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

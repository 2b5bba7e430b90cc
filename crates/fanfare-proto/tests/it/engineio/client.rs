//! The client's session alone.

use std::time::{Duration, Instant};

use fanfare_proto::engineio::{
    ClientOutput, ClientSession, ClientTiming, CloseReason, Message, Packet, Transport, Transports,
    Via,
};

const TIMING: ClientTiming = ClientTiming {
    open_timeout: Duration::from_secs(2),
    upgrade_timeout: Duration::from_millis(250),
};

const OPEN: &str = r#"0{"sid":"x","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;

struct Fixture {
    start: Instant,
    now: Instant,
    session: ClientSession,
}

impl Fixture {
    fn new(transports: Transports) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            session: ClientSession::new(transports, &TIMING, start),
        }
    }

    /// Open, with a `GET` pending, and trying no upgrade.
    fn polling() -> Self {
        let mut f = Self::new(Transports::Polling);
        f.receives(Via::Polling, OPEN);
        f.ends_poll();
        f.check("GET, opened, GET");
        f
    }

    fn websocket() -> Self {
        let mut f = Self::new(Transports::WebSocket);
        f.receives(Via::WebSocket, OPEN);
        f.check("opened");
        f
    }

    /// Open, with a `GET` pending, and the probe on its way.
    fn probing() -> Self {
        let mut f = Self::new(Transports::PollingThenWebSocket);
        f.receives(Via::Polling, OPEN);
        f.ends_poll();
        f.session.handle_probe_open(f.now);
        f.check("GET, opened, dial, GET, probe 2probe");
        f
    }

    /// Upgrading, and waiting for its `GET` to end.
    fn pausing() -> Self {
        let mut f = Self::probing();
        f.receives(Via::Probe, "3probe");
        f.check("");
        f
    }

    fn fires_at(&mut self, ms: u64) {
        self.now = self.start + Duration::from_millis(ms);
        assert_eq!(
            self.session.poll_timeout(),
            Some(self.now),
            "the next deadline"
        );
        self.session.handle_timeout(self.now);
    }

    fn receives(&mut self, via: Via, wire: &str) {
        match Packet::decode_text(wire) {
            Ok(packet) => self.session.handle_packet(via, packet, self.now),
            Err(violation) => self.session.handle_violation(via, violation, self.now),
        }
    }

    fn ends_poll(&mut self) {
        self.session.handle_poll_end(self.now);
    }

    fn loses(&mut self, via: Via) {
        self.session
            .handle_transport_closed(via, CloseReason::TransportClose, self.now);
    }

    #[track_caller]
    fn check(&mut self, expected: &str) {
        let mut outputs = Vec::new();
        while let Some(output) = self.session.poll_output() {
            outputs.push(describe(&output));
        }
        assert_eq!(outputs.join(", "), expected);
    }
}

fn describe(output: &ClientOutput) -> String {
    match output {
        ClientOutput::Poll => "GET".to_owned(),
        ClientOutput::Opened(open) => {
            assert_eq!(open.sid, "x");
            "opened".to_owned()
        }
        ClientOutput::Send(packet) => format!("send {}", text(packet)),
        ClientOutput::OpenProbe => "dial".to_owned(),
        ClientOutput::SendProbe(packet) => format!("probe {}", text(packet)),
        ClientOutput::DropProbe => "drop probe".to_owned(),
        ClientOutput::Upgraded => "upgraded".to_owned(),
        ClientOutput::Message(Message::Text(text)) => format!("message {text}"),
        ClientOutput::Message(Message::Binary(data)) => format!("message {data:?}"),
        ClientOutput::CloseTransport => "close transport".to_owned(),
        ClientOutput::Closed(reason) => format!("closed: {}", reason.as_str()),
    }
}

fn text(packet: &Packet) -> String {
    let mut out = Vec::new();
    packet.encode_text(&mut out);
    String::from_utf8(out).expect("packets are text")
}

#[test]
fn an_open_packet_opens_the_session() {
    for (f, transport) in [
        (Fixture::polling(), Transport::Polling),
        (Fixture::websocket(), Transport::WebSocket),
        (Fixture::probing(), Transport::Polling),
    ] {
        assert!(f.session.is_open());
        assert_eq!(f.session.transport(), transport);
        assert_eq!(f.session.writable(), Some(transport));
    }
}

#[test]
fn nothing_may_be_sent_before_the_session_is_open() {
    let f = Fixture::new(Transports::WebSocket);
    assert!(!f.session.is_open());
    assert_eq!(f.session.writable(), None);
}

#[test]
fn a_server_that_opens_nothing_is_given_up() {
    let mut f = Fixture::new(Transports::WebSocket);
    f.fires_at(2_000);
    f.check("closed: transport error");
}

#[test]
fn a_server_that_does_not_begin_with_an_open_packet_is_given_up() {
    for wire in ["0{}", "0", "2", "3", "4x", "5", "6", "", "x"] {
        let mut f = Fixture::new(Transports::Polling);
        f.receives(Via::Polling, wire);
        f.check("GET, closed: parse error");
    }
    let mut f = Fixture::new(Transports::Polling);
    f.receives(Via::Polling, "1");
    f.check("GET, closed: transport close");
}

#[test]
fn a_server_that_offers_no_upgrade_is_not_asked_for_one() {
    let mut f = Fixture::new(Transports::PollingThenWebSocket);
    f.receives(Via::Polling, &OPEN.replace(r#""websocket""#, ""));
    f.check("GET, opened");
}

#[test]
fn each_ping_is_answered_and_feeds_the_watchdog() {
    let mut f = Fixture::websocket();
    f.now = f.start + Duration::from_millis(400);
    f.receives(Via::WebSocket, "2");
    f.check("send 3");
    f.receives(Via::WebSocket, "4x");
    f.fires_at(900);
    f.check("message x, close transport, closed: ping timeout");
    assert_eq!(f.session.poll_timeout(), None);
}

#[test]
fn packets_that_mean_nothing_to_a_client_are_ignored() {
    for (mut f, via) in [
        (Fixture::polling(), Via::Polling),
        (Fixture::websocket(), Via::WebSocket),
    ] {
        for wire in [OPEN, "3", "5", "6"] {
            f.receives(via, wire);
        }
        f.check("");
        assert!(f.session.is_open());
    }
}

#[test]
fn a_close_packet_ends_polling_and_means_nothing_on_websocket() {
    let mut f = Fixture::polling();
    f.receives(Via::Polling, "1");
    f.check("closed: transport close");
    let mut f = Fixture::websocket();
    f.receives(Via::WebSocket, "1");
    f.check("");
}

#[test]
fn what_is_no_packet_ends_the_session() {
    let mut f = Fixture::polling();
    f.receives(Via::Polling, "x");
    f.check("close transport, closed: parse error");
    let mut f = Fixture::websocket();
    f.receives(Via::WebSocket, "");
    f.check("close transport, closed: parse error");
}

#[test]
fn one_post_is_sent_at_a_time() {
    let mut f = Fixture::polling();
    f.session.handle_post();
    assert_eq!(f.session.writable(), None);
    f.session.handle_post_end(f.now);
    assert_eq!(f.session.writable(), Some(Transport::Polling));
}

#[test]
fn the_upgrade_waits_for_the_get_under_way() {
    let mut f = Fixture::pausing();
    f.receives(Via::Polling, "4last");
    f.ends_poll();
    f.check("message last, probe 5, upgraded");
    assert_eq!(f.session.writable(), Some(Transport::WebSocket));
}

#[test]
fn the_upgrade_waits_for_the_post_under_way() {
    let mut f = Fixture::probing();
    f.session.handle_post();
    f.receives(Via::Probe, "3probe");
    f.ends_poll();
    f.check("");
    f.session.handle_post_end(f.now);
    f.check("probe 5, upgraded");
}

#[test]
fn nothing_is_sent_between_the_answer_to_the_probe_and_the_upgrade() {
    let f = Fixture::pausing();
    assert_eq!(f.session.writable(), None);
    assert!(f.session.is_open());
}

#[test]
fn a_probe_that_is_answered_with_anything_else_is_dropped() {
    for wire in ["3", "3prob", "2probe", "4x", "5", "6", "1", "", "x"] {
        let mut f = Fixture::probing();
        f.receives(Via::Probe, wire);
        f.check("drop probe");
        assert_eq!(f.session.writable(), Some(Transport::Polling));
    }
}

#[test]
fn a_probe_that_is_lost_leaves_polling_as_it_was() {
    for mut f in [Fixture::probing(), Fixture::pausing()] {
        f.loses(Via::Probe);
        f.check("");
        assert_eq!(f.session.writable(), Some(Transport::Polling));
        f.ends_poll();
        f.check("GET");
    }
}

#[test]
fn polling_that_had_come_to_rest_is_taken_up_again() {
    let mut f = Fixture::probing();
    f.session.handle_post();
    f.receives(Via::Probe, "3probe");
    f.ends_poll();
    f.check("");
    f.loses(Via::Probe);
    f.check("GET");
}

#[test]
fn an_upgrade_that_takes_too_long_is_dropped() {
    for mut f in [Fixture::probing(), Fixture::pausing()] {
        f.fires_at(250);
        f.check("drop probe");
        assert_eq!(f.session.writable(), Some(Transport::Polling));
    }
}

#[test]
fn closing_tells_the_server_whatever_is_going_on() {
    for (mut f, told) in [
        (Fixture::polling(), "close transport, "),
        (Fixture::websocket(), "close transport, "),
        (Fixture::probing(), "drop probe, close transport, "),
        (Fixture::pausing(), "drop probe, close transport, "),
        (Fixture::new(Transports::WebSocket), ""),
    ] {
        f.session.close(f.now);
        f.session.close(f.now);
        f.check(&format!("{told}closed: forced close"));
        assert_eq!(f.session.writable(), None);
        assert_eq!(f.session.poll_timeout(), None);
    }
}

#[test]
fn a_request_that_fails_ends_the_session() {
    let mut f = Fixture::probing();
    f.session
        .handle_transport_closed(Via::Polling, CloseReason::TransportError, f.now);
    f.check("drop probe, closed: transport error");
    let mut f = Fixture::new(Transports::Polling);
    f.session
        .handle_transport_closed(Via::Polling, CloseReason::TransportError, f.now);
    f.check("GET, closed: transport error");
}

#[test]
fn what_comes_over_a_transport_that_is_not_active_is_ignored() {
    let mut f = Fixture::polling();
    f.receives(Via::WebSocket, "4x");
    f.receives(Via::Probe, "3probe");
    f.loses(Via::WebSocket);
    f.check("");
    let mut f = Fixture::websocket();
    f.receives(Via::Polling, "4x");
    f.receives(Via::Polling, "x");
    f.loses(Via::Polling);
    f.ends_poll();
    f.check("");
    assert!(f.session.is_open());
}

//! The server's session alone: each rule kept, and each rule broken by the client.

mod close;
mod heartbeat;
mod memory;
mod upgrade;
mod v3;

use std::time::{Duration, Instant};

use fanfare_proto::engineio::{
    CloseReason, Message, Output, Packet, Revision, Session, Timing, Transport, Via, Violation,
};

const TIMING: Timing = Timing {
    ping_interval: Duration::from_millis(300),
    ping_timeout: Duration::from_millis(200),
    upgrade_timeout: Duration::from_millis(250),
    close_timeout: Duration::from_secs(3),
};

struct Fixture {
    start: Instant,
    now: Instant,
    session: Session,
}

impl Fixture {
    fn new(transport: Transport) -> Self {
        Self::speaking(Revision::V4, transport)
    }

    fn speaking(revision: Revision, transport: Transport) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            session: Session::new(revision, transport, &TIMING, start),
        }
    }

    fn polling() -> Self {
        Self::new(Transport::Polling)
    }

    fn websocket() -> Self {
        Self::new(Transport::WebSocket)
    }

    /// On polling, with a `GET` pending.
    fn parked() -> Self {
        let mut f = Self::polling();
        f.park();
        f
    }

    /// On polling, with a WebSocket that has answered the probe.
    fn probed() -> Self {
        let mut f = Self::polling();
        f.opens_probe();
        f.receives(Via::Probe, "2probe");
        f.check("probe 3probe");
        f
    }

    /// Closing, and waiting for a `GET`.
    fn closing() -> Self {
        let mut f = Self::polling();
        f.session.close(f.now);
        f.check("");
        f
    }

    fn at(&mut self, ms: u64) -> &mut Self {
        self.now = self.start + Duration::from_millis(ms);
        self
    }

    fn fires_at(&mut self, ms: u64) {
        self.at(ms);
        assert_eq!(
            self.session.poll_timeout(),
            Some(self.now),
            "the next deadline"
        );
        self.session.handle_timeout(self.now);
    }

    fn fires_next(&mut self) {
        self.now = self.session.poll_timeout().expect("not closed");
        self.session.handle_timeout(self.now);
        while self.session.poll_output().is_some() {}
    }

    fn opens_probe(&mut self) {
        self.session.handle_probe(self.now).expect("no upgrade yet");
    }

    fn park(&mut self) {
        self.session
            .handle_poll(self.now)
            .expect("a GET is welcome");
        self.session.handle_poll_parked(self.now);
    }

    fn receives(&mut self, via: Via, wire: &str) {
        match Packet::decode_text(wire) {
            Ok(packet) => self.session.handle_packet(via, packet, self.now),
            Err(violation) => self.session.handle_violation(via, violation, self.now),
        }
    }

    /// All outputs since the last check.
    #[track_caller]
    fn check(&mut self, expected: &str) {
        let mut outputs = Vec::new();
        while let Some(output) = self.session.poll_output() {
            outputs.push(describe(&output));
        }
        assert_eq!(outputs.join(", "), expected);
    }

    #[track_caller]
    fn check_closed(&mut self) {
        assert!(!self.session.is_open());
        assert_eq!(self.session.poll_timeout(), None);
        assert_eq!(
            self.session.handle_poll(self.now),
            Err(Violation::UnknownSid)
        );
        assert_eq!(
            self.session.handle_post(self.now),
            Err(Violation::UnknownSid)
        );
        assert_eq!(
            self.session.handle_probe(self.now),
            Err(Violation::ConcurrentUpgrade)
        );
        self.check("");
    }
}

fn describe(output: &Output) -> String {
    match output {
        Output::Send(packet) => format!("send {}", text(packet)),
        Output::SendProbe(packet) => format!("probe {}", text(packet)),
        Output::AnswerPoll(answer) => format!("poll {}", answer.as_str().replace('\u{1e}', "␞")),
        Output::DropProbe => "drop probe".to_owned(),
        Output::Upgraded => "upgraded".to_owned(),
        Output::Message(Message::Text(text)) => format!("message {text}"),
        Output::Message(Message::Binary(data)) => format!("message {data:?}"),
        Output::CloseTransport => "close transport".to_owned(),
        Output::Closed(reason) => format!("closed: {}", reason.as_str()),
    }
}

fn text(packet: &Packet) -> String {
    let mut out = Vec::new();
    packet.encode_text(&mut out);
    String::from_utf8(out).expect("packets are text")
}

#[test]
fn messages_are_delivered() {
    let mut f = Fixture::polling();
    f.receives(Via::Polling, "4hello");
    f.receives(Via::Polling, "bAQI=");
    f.check(r#"message hello, message b"\x01\x02""#);
    let mut f = Fixture::websocket();
    f.receives(Via::WebSocket, "4hello");
    f.check("message hello");
}

#[test]
fn packets_that_mean_nothing_to_a_server_are_ignored() {
    for (mut f, via) in [
        (Fixture::parked(), Via::Polling),
        (Fixture::websocket(), Via::WebSocket),
    ] {
        for wire in ["0{}", "3", "3x", "5", "6"] {
            f.receives(via, wire);
        }
        f.check("");
        assert!(f.session.is_open());
    }
}

#[test]
fn a_second_get_ends_the_session_and_answers_the_first() {
    let mut f = Fixture::parked();
    assert_eq!(f.session.handle_poll(f.now), Err(Violation::ConcurrentPoll));
    f.check("poll 1, closed: transport error");
    f.check_closed();
}

#[test]
fn a_get_after_an_answered_get_is_welcome() {
    let mut f = Fixture::parked();
    f.session.handle_poll_answered();
    f.park();
    f.check("");
}

#[test]
fn a_get_given_up_ends_the_session() {
    let mut f = Fixture::parked();
    f.session.handle_poll_aborted(f.now);
    f.check("closed: transport error");
    f.check_closed();
}

#[test]
fn giving_up_a_get_that_was_answered_means_nothing() {
    let mut f = Fixture::parked();
    f.session.handle_poll_answered();
    f.session.handle_poll_aborted(f.now);
    f.check("");
}

#[test]
fn a_second_post_ends_the_session() {
    let mut f = Fixture::parked();
    assert_eq!(f.session.handle_post(f.now), Ok(()));
    assert_eq!(f.session.handle_post(f.now), Err(Violation::ConcurrentPost));
    f.check("poll 1, closed: transport error");
    f.check_closed();
}

#[test]
fn posts_one_after_the_other_are_welcome() {
    let mut f = Fixture::polling();
    for _ in 0..3 {
        assert_eq!(f.session.handle_post(f.now), Ok(()));
        f.session.handle_post_end();
    }
    f.session.handle_post_aborted(f.now);
    f.check("");
}

#[test]
fn a_post_given_up_ends_the_session() {
    let mut f = Fixture::parked();
    assert_eq!(f.session.handle_post(f.now), Ok(()));
    f.session.handle_post_aborted(f.now);
    f.check("poll 1, closed: transport error");
}

#[test]
fn a_ping_goes_the_wrong_way() {
    let mut f = Fixture::parked();
    f.receives(Via::Polling, "2");
    f.check("poll 1, closed: transport error");
    let mut f = Fixture::websocket();
    f.receives(Via::WebSocket, "2");
    f.check("close transport, closed: transport error");
}

#[test]
fn a_close_packet_ends_a_polling_session() {
    let mut f = Fixture::parked();
    f.receives(Via::Polling, "1");
    f.check("poll 6, closed: transport close");
    f.check_closed();
    let mut f = Fixture::polling();
    f.receives(Via::Polling, "1");
    f.check("closed: transport close");
}

#[test]
fn a_close_packet_means_nothing_on_websocket() {
    let mut f = Fixture::websocket();
    f.receives(Via::WebSocket, "1");
    f.receives(Via::WebSocket, "4still here");
    f.check("message still here");
}

#[test]
fn what_is_no_packet_ends_the_session() {
    for wire in ["", "7", "abc"] {
        let mut f = Fixture::parked();
        f.receives(Via::Polling, wire);
        f.check("poll 1, closed: parse error");
        let mut f = Fixture::websocket();
        f.receives(Via::WebSocket, wire);
        f.check("close transport, closed: parse error");
    }
}

#[test]
fn what_follows_a_violation_is_ignored() {
    let mut f = Fixture::polling();
    for wire in ["4a", "x", "4b"] {
        f.receives(Via::Polling, wire);
    }
    f.check("message a, closed: parse error");
}

#[test]
fn a_binary_payload_ends_the_session() {
    let mut f = Fixture::parked();
    f.session
        .handle_violation(Via::Polling, Violation::BinaryPayload, f.now);
    f.check("poll 1, closed: transport error");
}

#[test]
fn a_session_survives_a_request_that_is_merely_refused() {
    for violation in [
        Violation::PayloadTooLarge,
        Violation::BadMethod,
        Violation::TransportMismatch,
        Violation::ProtocolMismatch,
    ] {
        let mut f = Fixture::parked();
        f.session.handle_violation(Via::Polling, violation, f.now);
        f.check("");
        assert!(f.session.is_open(), "{violation:?}");
    }
}

#[test]
fn a_message_too_large_ends_a_websocket_session() {
    let mut f = Fixture::websocket();
    f.session
        .handle_violation(Via::WebSocket, Violation::PayloadTooLarge, f.now);
    f.check("close transport, closed: transport error");
}

#[test]
fn a_request_on_the_wrong_transport_is_refused_and_changes_nothing() {
    let mut f = Fixture::websocket();
    assert_eq!(
        f.session.handle_poll(f.now),
        Err(Violation::TransportMismatch)
    );
    assert_eq!(
        f.session.handle_post(f.now),
        Err(Violation::TransportMismatch)
    );
    f.check("");
    assert!(f.session.is_open());
}

#[test]
fn what_comes_over_a_transport_that_is_not_active_is_ignored() {
    let mut f = Fixture::polling();
    f.receives(Via::WebSocket, "4x");
    f.receives(Via::WebSocket, "x");
    f.receives(Via::Probe, "5");
    f.session
        .handle_transport_closed(Via::WebSocket, CloseReason::TransportClose, f.now);
    f.check("");
    let mut f = Fixture::websocket();
    f.receives(Via::Polling, "4x");
    f.receives(Via::Polling, "x");
    f.receives(Via::Probe, "5");
    f.session
        .handle_transport_closed(Via::Polling, CloseReason::TransportClose, f.now);
    f.session
        .handle_transport_closed(Via::Probe, CloseReason::TransportClose, f.now);
    f.check("");
    assert!(f.session.is_open());
}

#[test]
fn a_websocket_that_is_gone_ends_the_session() {
    for reason in [CloseReason::TransportClose, CloseReason::TransportError] {
        let mut f = Fixture::websocket();
        f.session
            .handle_transport_closed(Via::WebSocket, reason, f.now);
        f.check(&format!("closed: {}", reason.as_str()));
        f.check_closed();
        assert_eq!(f.session.transport(), Transport::WebSocket);
    }
}

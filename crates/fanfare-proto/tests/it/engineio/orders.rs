//! Whatever is called in whatever order, a machine does not panic, has a deadline until it is closed,
//! and says nothing afterwards.

use std::time::{Duration, Instant};

use fanfare_proto::engineio::{
    ClientOutput, ClientSession, ClientTiming, CloseReason, Message, Output, Packet, Revision,
    Session, Timing, Transport, Transports, Via, Violation,
};
use proptest::prelude::*;

use crate::vectors::properties;

#[derive(Clone, Debug)]
enum Call {
    Wait(Duration),
    Timeout,
    Poll,
    PollAnswered,
    PollParked,
    PollAborted,
    Post,
    PostEnd,
    PostAborted,
    Probe,
    Packet(Via, Packet),
    Violation(Via, Violation),
    TransportClosed(Via, CloseReason),
    DeferPong,
    Close,
    Abort,
}

const TIMING: Timing = Timing {
    ping_interval: Duration::from_millis(300),
    ping_timeout: Duration::from_millis(200),
    upgrade_timeout: Duration::from_millis(250),
    close_timeout: Duration::from_millis(700),
};

const CLIENT_TIMING: ClientTiming = ClientTiming {
    open_timeout: Duration::from_millis(400),
    upgrade_timeout: Duration::from_millis(250),
};

const OPEN: &str =
    r#"{"sid":"x","upgrades":["websocket"],"pingInterval":300,"pingTimeout":18446744073709551615}"#;

fn via() -> impl Strategy<Value = Via> {
    prop_oneof![Just(Via::Polling), Just(Via::WebSocket), Just(Via::Probe)]
}

fn packet() -> impl Strategy<Value = Packet> {
    prop_oneof![
        Just(Packet::Open(OPEN.to_owned())),
        Just(Packet::Open("{}".to_owned())),
        Just(Packet::Close),
        Just(Packet::Ping(String::new())),
        Just(Packet::Ping("probe".to_owned())),
        Just(Packet::Pong(String::new())),
        Just(Packet::Pong("probe".to_owned())),
        Just(Packet::Message(Message::Text("x".to_owned()))),
        Just(Packet::Upgrade),
        Just(Packet::Noop),
    ]
}

fn violation() -> impl Strategy<Value = Violation> {
    prop_oneof![
        Just(Violation::EmptyPacket),
        Just(Violation::BinaryPayload),
        Just(Violation::PayloadTooLarge)
    ]
}

/// Calls that end a session are rare, so that most sequences reach the rest.
fn call() -> impl Strategy<Value = Call> {
    let reason = prop_oneof![
        Just(CloseReason::TransportClose),
        Just(CloseReason::TransportError)
    ];
    prop_oneof![
        6 => (0..150_u64).prop_map(|ms| Call::Wait(Duration::from_millis(ms))),
        6 => Just(Call::Timeout),
        6 => Just(Call::Poll),
        4 => Just(Call::PollAnswered),
        4 => Just(Call::PollParked),
        1 => Just(Call::PollAborted),
        6 => Just(Call::Post),
        6 => Just(Call::PostEnd),
        1 => Just(Call::PostAborted),
        6 => Just(Call::Probe),
        12 => (via(), packet()).prop_map(|(via, packet)| Call::Packet(via, packet)),
        1 => (via(), violation()).prop_map(|(via, violation)| Call::Violation(via, violation)),
        1 => (via(), reason).prop_map(|(via, reason)| Call::TransportClosed(via, reason)),
        2 => Just(Call::DeferPong),
        1 => Just(Call::Close),
        1 => Just(Call::Abort),
    ]
}

fn call_server(session: &mut Session, call: Call, now: Instant) {
    match call {
        Call::Wait(_) => {}
        Call::Timeout => session.handle_timeout(now),
        Call::Poll => drop(session.handle_poll(now)),
        Call::PollAnswered => session.handle_poll_answered(),
        Call::PollParked => session.handle_poll_parked(now),
        Call::PollAborted => session.handle_poll_aborted(now),
        Call::Post => drop(session.handle_post(now)),
        Call::PostEnd => session.handle_post_end(),
        Call::PostAborted => session.handle_post_aborted(now),
        Call::Probe => drop(session.handle_probe(now)),
        Call::Packet(via, packet) => session.handle_packet(via, packet, now),
        Call::Violation(via, violation) => session.handle_violation(via, violation, now),
        Call::TransportClosed(via, reason) => session.handle_transport_closed(via, reason, now),
        Call::DeferPong => session.defer_pong(now),
        Call::Close => session.close(now),
        Call::Abort => session.abort(CloseReason::ServerShuttingDown),
    }
}

fn call_client(session: &mut ClientSession, call: Call, now: Instant) {
    match call {
        Call::Wait(_) | Call::DeferPong | Call::Abort => {}
        Call::Timeout => session.handle_timeout(now),
        Call::Poll | Call::PollAnswered | Call::PollParked => session.handle_poll_end(now),
        Call::Post => session.handle_post(),
        Call::PostEnd => session.handle_post_end(now),
        Call::Probe => session.handle_probe_open(now),
        Call::Packet(via, packet) => session.handle_packet(via, packet, now),
        Call::Violation(via, violation) => session.handle_violation(via, violation, now),
        Call::PollAborted | Call::PostAborted => {
            session.handle_transport_closed(Via::Polling, CloseReason::TransportError, now);
        }
        Call::TransportClosed(via, reason) => session.handle_transport_closed(via, reason, now),
        Call::Close => session.close(now),
    }
}

/// What may be seen of the server's session from outside, kept as the caller would.
#[derive(Default)]
struct Seen {
    get_pending: bool,
    probe_open: bool,
    closed: bool,
}

impl Seen {
    fn before(&mut self, session: &Session, call: &Call) {
        let is_polling = session.is_open() && session.transport() == Transport::Polling;
        match call {
            Call::PollParked => self.get_pending |= is_polling,
            Call::PollAnswered | Call::PollAborted => self.get_pending = false,
            Call::Probe => self.probe_open |= is_polling,
            Call::TransportClosed(Via::Probe, _) => self.probe_open = false,
            Call::Wait(_)
            | Call::Timeout
            | Call::Poll
            | Call::Post
            | Call::PostEnd
            | Call::PostAborted
            | Call::Packet(..)
            | Call::Violation(..)
            | Call::TransportClosed(..)
            | Call::DeferPong
            | Call::Close
            | Call::Abort => {}
        }
    }

    fn check(&mut self, output: &Output, session: &Session) {
        assert!(!self.closed, "{output:?} after Closed");
        match output {
            Output::AnswerPoll(_) => {
                let is_news = !session.is_open();
                assert!(
                    self.get_pending || is_news,
                    "a GET is answered that is not pending"
                );
                self.get_pending = false;
            }
            Output::SendProbe(_) => {
                assert!(self.probe_open, "a probe is answered that is not open");
            }
            Output::DropProbe => {
                assert!(self.probe_open, "a probe is dropped that is not open");
                self.probe_open = false;
            }
            Output::Upgraded => {
                assert!(self.probe_open, "a probe is moved to that is not open");
                assert!(!self.get_pending, "a GET is left behind");
                self.probe_open = false;
            }
            Output::Send(_) | Output::Message(_) => {}
            Output::CloseTransport => assert_eq!(session.transport(), Transport::WebSocket),
            Output::Closed(_) => {
                assert!(!self.get_pending, "a GET is left behind");
                assert!(!self.probe_open, "a probe is left behind");
                self.closed = true;
            }
        }
    }
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn a_server_session_stands_any_order_of_calls(
        transport in prop_oneof![4 => Just(Transport::Polling), 1 => Just(Transport::WebSocket)],
        calls in proptest::collection::vec(call(), 0..80),
    ) {
        let mut now = Instant::now();
        let mut session = Session::new(Revision::V4, transport, &TIMING, now);
        let mut seen = Seen::default();
        for call in calls {
            if let Call::Wait(span) = call {
                now += span;
            }
            seen.before(&session, &call);
            call_server(&mut session, call, now);
            while let Some(output) = session.poll_output() {
                seen.check(&output, &session);
            }
            prop_assert_eq!(session.poll_timeout().is_none(), seen.closed);
        }
    }

    #[test]
    fn a_server_session_left_alone_ends_in_bounded_time(
        calls in proptest::collection::vec(call(), 0..40),
    ) {
        let mut now = Instant::now();
        let mut session = Session::new(Revision::V4, Transport::Polling, &TIMING, now);
        for call in calls {
            if let Call::Wait(span) = call {
                now += span;
            }
            call_server(&mut session, call, now);
        }
        let bound = now + TIMING.ping_interval + TIMING.ping_timeout * 2 + TIMING.close_timeout;
        let mut n_timeouts = 0;
        while let Some(at) = session.poll_timeout() {
            now = now.max(at);
            session.handle_timeout(now);
            while session.poll_output().is_some() {}
            n_timeouts += 1;
            prop_assert!(now <= bound && n_timeouts < 20);
        }
    }

    #[test]
    fn a_client_session_stands_any_order_of_calls(
        transports in prop_oneof![
            1 => Just(Transports::Polling),
            1 => Just(Transports::WebSocket),
            4 => Just(Transports::PollingThenWebSocket),
        ],
        calls in proptest::collection::vec(call(), 0..80),
    ) {
        let mut now = Instant::now();
        let mut session = ClientSession::new(transports, &CLIENT_TIMING, now);
        let first = match transports {
            Transports::WebSocket => Via::WebSocket,
            Transports::Polling | Transports::PollingThenWebSocket => Via::Polling,
        };
        let opening = Call::Packet(first, Packet::Open(OPEN.to_owned()));
        let mut closed = false;
        for call in std::iter::once(opening).chain(calls) {
            if let Call::Wait(span) = call {
                now += span;
            }
            call_client(&mut session, call, now);
            while let Some(output) = session.poll_output() {
                prop_assert!(!closed, "{:?} after Closed", output);
                closed = matches!(output, ClientOutput::Closed(_));
            }
            prop_assert_eq!(session.poll_timeout().is_none(), closed);
        }
    }
}

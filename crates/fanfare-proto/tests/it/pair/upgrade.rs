//! From polling to WebSocket while both sides talk, and every way in which it fails.

use std::time::Duration;

use fanfare_proto::engineio::{ClientTiming, CloseReason, Timing, Transport, Transports};
use proptest::prelude::*;

use super::{
    MINUTES_2, Pair, Setup, delays,
    wire::{Cut, Line, Loss},
};
use crate::vectors::properties;

/// What passes over the WebSocket, in order: the request, its answer, `2probe`, `3probe`, `5`, packets.
const N_THE_UPGRADE: usize = 4;

fn cut(line: Line, n: usize, loss: Loss) -> Pair {
    Pair::new(Setup {
        cut: Cut::Line(line, n, loss),
        ..Setup::default()
    })
}

/// One pair for each delivery that can be lost.
fn each_cut(line: Line, loss: Loss, mut check: impl FnMut(usize, &Pair)) {
    for n in 0.. {
        let mut pair = cut(line, n, loss);
        pair.talk_until(400, 7);
        pair.settle();
        if !pair.wire.is_cut() {
            assert!(n > N_THE_UPGRADE, "the pair has talked");
            return;
        }
        pair.check_settled();
        check(n, &pair);
    }
}

#[test]
fn messages_keep_their_order_through_the_upgrade_and_none_is_lost_or_doubled() {
    for http in [0, 1, 3, 10, 60, 120, 700] {
        for websocket in [0, 1, 3, 10, 60, 120, 700] {
            for step in [1, 7, 50] {
                let delays = delays(http, websocket);
                let mut pair = Pair::new(Setup {
                    delays,
                    ..Setup::default()
                });
                pair.talk_until(6_000, step);
                pair.run_until(MINUTES_2);
                pair.check_open(Transport::WebSocket);
                assert!(pair.sent_by_client.len() > 50);
            }
        }
    }
}

#[test]
fn an_upgrade_in_silence_takes_no_more_than_its_round_trips_and_one_release() {
    for delay in [0, 1, 10, 60, 120] {
        let delays = delays(delay, delay);
        let mut pair = Pair::new(Setup {
            delays,
            ..Setup::default()
        });
        // Open; the request and the probe; 5. A GET that just missed the release waits for the next.
        pair.run_until(2 * delay + 4 * delay + delay + 100);
        pair.check_open(Transport::WebSocket);
    }
}

#[test]
fn a_websocket_that_breaks_before_the_upgrade_leaves_both_on_polling() {
    each_cut(Line::WebSocket, Loss::Reset, |n, pair| {
        if n < N_THE_UPGRADE {
            pair.check_open(Transport::Polling);
        }
    });
}

#[test]
fn a_websocket_that_falls_silent_before_the_upgrade_leaves_both_on_polling() {
    each_cut(Line::WebSocket, Loss::Silence, |n, pair| {
        if n < N_THE_UPGRADE {
            pair.check_open(Transport::Polling);
        }
    });
}

#[test]
fn a_websocket_that_breaks_with_or_after_the_upgrade_ends_the_session() {
    each_cut(Line::WebSocket, Loss::Reset, |n, pair| {
        let expected = match n {
            0..N_THE_UPGRADE => return,
            // The server still waits on polling for a client that has left it.
            N_THE_UPGRADE => (
                Some(CloseReason::PingTimeout),
                Some(CloseReason::TransportClose),
            ),
            _ => (
                Some(CloseReason::TransportClose),
                Some(CloseReason::TransportClose),
            ),
        };
        assert_eq!(pair.reasons(), expected, "lost delivery {n}");
    });
}

#[test]
fn a_websocket_that_falls_silent_with_or_after_the_upgrade_ends_the_session() {
    each_cut(Line::WebSocket, Loss::Silence, |n, pair| {
        if N_THE_UPGRADE <= n {
            let expected = (
                Some(CloseReason::PingTimeout),
                Some(CloseReason::PingTimeout),
            );
            assert_eq!(pair.reasons(), expected, "lost delivery {n}");
        }
    });
}

#[test]
fn requests_that_fail_during_the_upgrade_end_the_session_on_both_sides() {
    each_cut(Line::Http, Loss::Reset, |n, pair| {
        let (_, client) = pair.reasons();
        assert_eq!(
            client,
            Some(CloseReason::TransportError),
            "lost delivery {n}"
        );
    });
}

#[test]
fn requests_that_vanish_during_the_upgrade_end_the_session_on_both_sides() {
    each_cut(Line::Http, Loss::Silence, |n, pair| {
        let (_, client) = pair.reasons();
        assert!(client.is_some(), "lost delivery {n}");
    });
}

#[test]
fn a_client_that_wants_to_stay_on_polling_does() {
    let mut pair = Pair::new(Setup {
        transports: Transports::Polling,
        ..Setup::default()
    });
    pair.talk_until(1_000, 7);
    pair.run_until(MINUTES_2);
    pair.check_open(Transport::Polling);
}

fn any_cut() -> impl Strategy<Value = Cut> {
    let line = prop_oneof![Just(Line::Http), Just(Line::WebSocket)];
    let loss = prop_oneof![Just(Loss::Reset), Just(Loss::Silence)];
    prop_oneof![
        Just(Cut::Never),
        (0..3_000_u64).prop_map(|ms| Cut::Unplugged(Duration::from_millis(ms))),
        (line, 0..60_usize, loss).prop_map(|(line, n, loss)| Cut::Line(line, n, loss)),
    ]
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn whatever_is_slow_or_lost_both_sides_agree_in_the_end(
        (http, websocket) in (0..400_u64, 0..400_u64),
        step in 1..200_u64,
        cut in any_cut(),
        upgrade_timeout in 1..3_000_u64,
    ) {
        let upgrade_timeout = Duration::from_millis(upgrade_timeout);
        let mut pair = Pair::new(Setup {
            transports: Transports::PollingThenWebSocket,
            timing: Timing { upgrade_timeout, ..Timing::default() },
            client_timing: ClientTiming { upgrade_timeout, ..ClientTiming::default() },
            delays: delays(http, websocket),
            cut,
        });
        pair.talk_until(4_000, step);
        pair.settle();
        pair.check_settled();
    }
}

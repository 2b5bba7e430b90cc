//! Silence, and what each side makes of it.

use std::time::Duration;

use fanfare_proto::engineio::{CloseReason, Timing, Transport, Transports};

use super::{MINUTES_2, Pair, Setup, delays, wire::Cut};

const TIMING: Timing = Timing {
    ping_interval: Duration::from_millis(300),
    ping_timeout: Duration::from_millis(200),
    upgrade_timeout: Duration::from_secs(10),
    close_timeout: Duration::from_secs(30),
};

fn pair(transports: Transports, delay: u64, unplugged_at: u64) -> Pair {
    Pair::new(Setup {
        transports,
        timing: TIMING,
        delays: delays(delay, delay),
        cut: Cut::Unplugged(Duration::from_millis(unplugged_at)),
        ..Setup::default()
    })
}

#[test]
fn two_that_hear_each_other_stay_together() {
    for transports in [
        Transports::Polling,
        Transports::WebSocket,
        Transports::PollingThenWebSocket,
    ] {
        for delay in [0, 1, 10, 40] {
            let mut pair = Pair::new(Setup {
                transports,
                timing: TIMING,
                delays: delays(delay, delay),
                ..Setup::default()
            });
            pair.talk_until(1_000, 50);
            pair.run_until(MINUTES_2);
            let transport = match transports {
                Transports::Polling => Transport::Polling,
                Transports::WebSocket | Transports::PollingThenWebSocket => Transport::WebSocket,
            };
            pair.check_open(transport);
        }
    }
}

#[test]
fn a_silent_client_is_lost_after_interval_plus_timeout_exactly() {
    for transports in [Transports::Polling, Transports::WebSocket] {
        let mut pair = pair(transports, 0, 250);
        pair.run_until(499);
        assert_eq!(pair.reasons(), (None, None));
        pair.run_until(500);
        pair.check_closed(&pair.server.log, CloseReason::PingTimeout, 500);
        pair.check_closed(&pair.client.log, CloseReason::PingTimeout, 500);
    }
}

#[test]
fn silence_is_counted_from_the_last_ping_of_each_side() {
    // Opened at 10 on the server; pings at 310, 630 and 950, each answered 20 ms later.
    let mut polling = pair(Transports::Polling, 10, 1_000);
    polling.run_until(2_000);
    polling.check_closed(&polling.server.log, CloseReason::PingTimeout, 970 + 500);
    polling.check_closed(&polling.client.log, CloseReason::PingTimeout, 960 + 500);

    let mut websocket = pair(Transports::WebSocket, 10, 1_000);
    websocket.run_until(2_000);
    websocket.check_closed(&websocket.server.log, CloseReason::PingTimeout, 970 + 500);
    websocket.check_closed(&websocket.client.log, CloseReason::PingTimeout, 960 + 500);
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    for transports in [Transports::Polling, Transports::WebSocket] {
        let mut pair = pair(transports, 10, 5);
        pair.run_until(20_000);
        pair.check_closed(&pair.client.log, CloseReason::TransportError, 20_000);
    }
}

#[test]
fn an_unplugged_cable_ends_both_sides_whenever_it_is_pulled() {
    for transports in [
        Transports::Polling,
        Transports::WebSocket,
        Transports::PollingThenWebSocket,
    ] {
        for unplugged_at in 10..700 {
            let mut pair = pair(transports, 10, unplugged_at);
            pair.talk_until(700, 13);
            pair.run_until(30_000);
            pair.check_in_order();
            let (server, client) = pair.reasons();
            assert_eq!(
                server,
                Some(CloseReason::PingTimeout),
                "unplugged at {unplugged_at} ms"
            );
            assert!(client.is_some(), "unplugged at {unplugged_at} ms");
        }
    }
}

//! Each side closes at each instant of a session's life: the other hears of it, and what was sent arrives.

use fanfare_proto::engineio::{CloseReason, Transports};

use super::{Pair, Setup, delays};

const ALL: [Transports; 3] = [
    Transports::Polling,
    Transports::WebSocket,
    Transports::PollingThenWebSocket,
];

/// One pair for each instant of the first 300 ms, in which an upgrade begins and ends.
fn at_each_instant(mut check: impl FnMut(Pair, u64)) {
    for transports in ALL {
        for delays in [delays(10, 10), delays(25, 5), delays(5, 25), delays(0, 0)] {
            for ms in 1..300 {
                let mut pair = Pair::new(Setup {
                    transports,
                    delays,
                    ..Setup::default()
                });
                pair.talk_until(ms, 9);
                if pair.client.session.is_open() {
                    check(pair, ms);
                }
            }
        }
    }
}

#[test]
fn a_server_that_closes_is_heard_soon_and_has_sent_all() {
    at_each_instant(|mut pair, ms| {
        pair.close_server();
        pair.run_until(ms + 200);
        let expected = (
            Some(CloseReason::ForcedClose),
            Some(CloseReason::TransportClose),
        );
        assert_eq!(pair.reasons(), expected, "closed at {ms} ms");
        assert_eq!(
            pair.client.log.received, pair.sent_by_server,
            "closed at {ms} ms"
        );
        pair.check_in_order();
    });
}

#[test]
fn a_client_that_closes_is_heard_soon_and_has_sent_all() {
    at_each_instant(|mut pair, ms| {
        pair.close_client();
        pair.run_until(ms + 200);
        let expected = (
            Some(CloseReason::TransportClose),
            Some(CloseReason::ForcedClose),
        );
        assert_eq!(pair.reasons(), expected, "closed at {ms} ms");
        assert_eq!(
            pair.server.log.received, pair.sent_by_client,
            "closed at {ms} ms"
        );
        pair.check_in_order();
    });
}

#[test]
fn a_server_that_goes_away_takes_its_clients_along() {
    at_each_instant(|mut pair, ms| {
        pair.abort_server(CloseReason::ServerShuttingDown);
        pair.run_until(ms + 200);
        let (server, client) = pair.reasons();
        assert_eq!(
            server,
            Some(CloseReason::ServerShuttingDown),
            "aborted at {ms} ms"
        );
        assert!(client.is_some(), "aborted at {ms} ms");
        pair.check_in_order();
    });
}

#[test]
fn both_sides_may_close_at_once() {
    at_each_instant(|mut pair, ms| {
        pair.close_client();
        pair.close_server();
        pair.run_until(ms + 31_000);
        let (server, client) = pair.reasons();
        assert_eq!(client, Some(CloseReason::ForcedClose), "closed at {ms} ms");
        assert!(server.is_some(), "closed at {ms} ms");
        pair.check_in_order();
    });
}

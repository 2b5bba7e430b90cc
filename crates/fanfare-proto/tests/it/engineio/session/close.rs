//! How a session is ended in each of its states.

use fanfare_proto::engineio::{CloseReason, Transport, Via, Violation};

use super::{Fixture, TIMING};

#[test]
fn a_websocket_is_closed_at_once() {
    let mut f = Fixture::websocket();
    f.session.close(f.now);
    f.check("close transport, closed: forced close");
    f.check_closed();
}

#[test]
fn a_pending_get_takes_the_news_at_once() {
    let mut f = Fixture::parked();
    f.session.close(f.now);
    f.check("poll 1, closed: forced close");
    f.check_closed();
}

#[test]
fn without_a_get_the_next_one_takes_it() {
    let mut f = Fixture::closing();
    assert!(!f.session.is_open());
    f.at(200).park();
    f.check("poll 6␞1, closed: forced close");
    f.check_closed();
}

#[test]
fn what_is_buffered_goes_out_before_the_news() {
    let mut f = Fixture::closing();
    assert_eq!(f.session.handle_poll(f.now), Ok(()));
    f.session.handle_poll_answered();
    f.check("");
    f.park();
    f.check("poll 6␞1, closed: forced close");
}

#[test]
fn behind_packets_a_pending_get_is_left_to_them() {
    let mut f = Fixture::parked();
    f.session.close_behind(f.now);
    f.session.handle_poll_answered();
    f.check("");
    f.park();
    f.check("poll 6␞1, closed: forced close");
    f.check_closed();
}

#[test]
fn a_client_that_never_polls_again_is_not_waited_for_forever() {
    let mut f = Fixture::closing();
    f.fires_at(3_000);
    f.check("closed: forced close");
    f.check_closed();
}

#[test]
fn what_a_client_sends_meanwhile_is_ignored() {
    let mut f = Fixture::closing();
    assert_eq!(f.session.handle_post(f.now), Ok(()));
    for wire in ["4x", "2", "1", "3", "abc"] {
        f.receives(Via::Polling, wire);
    }
    f.session.handle_post_end();
    f.session.close(f.now);
    f.session.defer_pong(f.now);
    f.check("");
    assert_eq!(
        f.session.poll_timeout(),
        Some(f.start + TIMING.close_timeout)
    );
}

#[test]
fn a_violation_of_transport_still_ends_it() {
    let mut f = Fixture::closing();
    assert_eq!(f.session.handle_post(f.now), Ok(()));
    assert_eq!(f.session.handle_post(f.now), Err(Violation::ConcurrentPost));
    f.check("closed: transport error");
    let mut f = Fixture::closing();
    f.session
        .handle_transport_closed(Via::Polling, CloseReason::TransportError, f.now);
    f.check("closed: transport error");
}

#[test]
fn an_upgrade_under_way_brings_the_news_sooner() {
    let mut f = Fixture::probed();
    f.session.close(f.now);
    f.check("");
    f.receives(Via::Probe, "5");
    f.check("upgraded, close transport, closed: forced close");
    assert_eq!(f.session.transport(), Transport::WebSocket);
}

#[test]
fn a_get_drops_the_candidate_of_a_closing_session() {
    let mut f = Fixture::polling();
    f.opens_probe();
    f.session.close(f.now);
    f.receives(Via::Probe, "2probe");
    f.check("probe 3probe");
    f.park();
    f.check("poll 6␞1, drop probe, closed: forced close");
}

#[test]
fn a_candidate_of_a_closing_session_is_given_up_in_time() {
    let mut f = Fixture::polling();
    f.opens_probe();
    f.session.close(f.now);
    f.fires_at(250);
    f.check("drop probe");
    f.fires_at(3_000);
    f.check("closed: forced close");
}

#[test]
fn a_closing_session_takes_no_new_candidate() {
    let mut f = Fixture::closing();
    assert_eq!(
        f.session.handle_probe(f.now),
        Err(Violation::ConcurrentUpgrade)
    );
}

#[test]
fn aborting_ends_each_state_at_once_and_only_once() {
    for (mut f, told) in [
        (Fixture::polling(), ""),
        (Fixture::parked(), "poll 1, "),
        (Fixture::probed(), "drop probe, "),
        (Fixture::closing(), ""),
        (Fixture::websocket(), "close transport, "),
    ] {
        f.session.abort(CloseReason::ServerShuttingDown);
        f.session.abort(CloseReason::TransportError);
        f.session.close(f.now);
        f.check(&format!("{told}closed: server shutting down"));
        f.check_closed();
    }
}

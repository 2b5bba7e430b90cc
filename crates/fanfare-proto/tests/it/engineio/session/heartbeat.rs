//! Pings, pongs, and what becomes of a silent client.

use fanfare_proto::engineio::{Via, Violation};

use super::Fixture;

#[test]
fn a_silent_client_is_pinged_and_then_lost() {
    let mut f = Fixture::websocket();
    f.fires_at(300);
    f.check("send 2");
    f.fires_at(500);
    f.check("close transport, closed: ping timeout");
    f.check_closed();
}

#[test]
fn a_client_that_answers_stays() {
    let mut f = Fixture::websocket();
    for round in 0..3 {
        f.fires_at(300 + round * 450);
        f.check("send 2");
        f.at(450 + round * 450).receives(Via::WebSocket, "3");
    }
    f.check("");
    assert!(f.session.is_open());
}

#[test]
fn a_ping_is_due_even_if_no_get_is_pending() {
    let mut f = Fixture::polling();
    f.fires_at(300);
    f.check("send 2");
    f.fires_at(500);
    f.check("closed: ping timeout");
}

#[test]
fn the_get_of_a_lost_client_is_answered() {
    let mut f = Fixture::polling();
    f.fires_at(300);
    f.check("send 2");
    f.at(310).park();
    f.fires_at(500);
    f.check("poll 1, closed: ping timeout");
}

#[test]
fn a_get_at_the_very_deadline_is_too_late_whatever_our_timer_does() {
    let mut f = Fixture::polling();
    f.fires_at(300);
    f.check("send 2");
    f.at(500);
    assert_eq!(f.session.handle_poll(f.now), Err(Violation::UnknownSid));
    f.check("closed: ping timeout");
}

#[test]
fn a_post_at_the_deadline_still_counts_for_the_pong_may_be_in_it() {
    let mut f = Fixture::polling();
    f.fires_at(300);
    f.check("send 2");
    f.at(500);
    assert_eq!(f.session.handle_post(f.now), Ok(()));
    f.receives(Via::Polling, "3");
    f.session.handle_timeout(f.now);
    f.check("");
    assert!(f.session.is_open());
}

#[test]
fn another_packet_while_a_pong_is_outstanding_buys_one_timeout() {
    let mut f = Fixture::websocket();
    f.fires_at(300);
    f.at(400).receives(Via::WebSocket, "4x");
    f.at(590).receives(Via::WebSocket, "4y");
    f.fires_at(600);
    f.check("send 2, message x, message y, close transport, closed: ping timeout");
}

#[test]
fn a_pong_that_is_deferred_is_waited_for() {
    let mut f = Fixture::websocket();
    f.fires_at(300);
    f.at(490);
    f.session.defer_pong(f.now);
    f.fires_at(690);
    f.check("send 2, close transport, closed: ping timeout");
}

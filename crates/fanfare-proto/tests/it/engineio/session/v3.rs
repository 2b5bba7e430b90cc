//! Sessions of protocol 3: the client pings.

use fanfare_proto::engineio::{Revision, Transport, Via, Violation};

use super::Fixture;

fn websocket() -> Fixture {
    Fixture::speaking(Revision::V3, Transport::WebSocket)
}

#[test]
fn a_client_that_pings_is_answered_and_stays() {
    let mut f = websocket();
    for round in 1..=4 {
        f.at(round * 300).receives(Via::WebSocket, "2");
        f.check("send 3");
    }
    // What a ping carries is not sent back.
    f.receives(Via::WebSocket, "2hello");
    f.check("send 3");
    assert!(f.session.is_open());
}

#[test]
fn a_silent_client_is_lost_without_being_pinged() {
    let mut f = websocket();
    f.at(400).receives(Via::WebSocket, "4hello");
    f.check("message hello");
    f.fires_at(500);
    f.check("close transport, closed: ping timeout");
    f.check_closed();
}

#[test]
fn the_get_of_a_silent_client_is_answered() {
    let mut f = Fixture::speaking(Revision::V3, Transport::Polling);
    f.park();
    f.fires_at(500);
    f.check("poll 1, closed: ping timeout");
}

#[test]
fn a_post_at_the_very_deadline_is_too_late_whatever_our_timer_does() {
    let mut f = Fixture::speaking(Revision::V3, Transport::Polling);
    f.at(499);
    assert_eq!(f.session.handle_post(f.now), Ok(()));
    f.receives(Via::Polling, "2");
    f.session.handle_post_end();
    f.check("send 3");
    f.at(999);
    assert_eq!(f.session.handle_post(f.now), Err(Violation::UnknownSid));
    f.check("closed: ping timeout");
}

#[test]
fn only_the_client_pings() {
    let mut f = websocket();
    f.receives(Via::WebSocket, "3");
    f.check("close transport, closed: transport error");
}

#[test]
fn an_upgrade_is_the_same() {
    let mut f = Fixture::speaking(Revision::V3, Transport::Polling);
    f.opens_probe();
    f.receives(Via::Probe, "2probe");
    f.check("probe 3probe");
    f.receives(Via::Probe, "5");
    f.check("upgraded");
    f.at(300).receives(Via::WebSocket, "2");
    f.check("send 3");
    f.fires_at(800);
    f.check("close transport, closed: ping timeout");
}

//! From polling to WebSocket, and each way in which it comes to nothing.

use fanfare_proto::engineio::{CloseReason, Transport, Via, Violation};

use super::Fixture;

#[test]
fn a_probed_websocket_becomes_the_transport() {
    let mut f = Fixture::probed();
    f.receives(Via::Polling, "4before");
    f.receives(Via::Probe, "5");
    f.receives(Via::WebSocket, "4after");
    f.check("message before, upgraded, message after");
    assert_eq!(f.session.transport(), Transport::WebSocket);
    assert_eq!(
        f.session.handle_poll(f.now),
        Err(Violation::TransportMismatch)
    );
    assert_eq!(
        f.session.handle_probe(f.now),
        Err(Violation::ConcurrentUpgrade)
    );
}

#[test]
fn a_get_pending_at_the_probe_is_released_at_once() {
    let mut f = Fixture::parked();
    f.opens_probe();
    f.receives(Via::Probe, "2probe");
    f.check("probe 3probe, poll 6");
}

#[test]
fn a_get_that_comes_later_is_released_every_100_ms() {
    let mut f = Fixture::probed();
    f.at(10).park();
    f.fires_at(100);
    f.check("poll 6");
    f.at(150).park();
    f.fires_at(200);
    f.check("poll 6");
}

#[test]
fn a_ping_that_is_due_releases_the_get_by_itself() {
    let mut f = Fixture::polling();
    f.at(200).opens_probe();
    f.receives(Via::Probe, "2probe");
    f.check("probe 3probe");
    f.at(250).park();
    f.fires_at(300);
    f.check("send 2");
    f.session.handle_poll_answered();
    f.session.handle_timeout(f.now);
    f.check("");
}

#[test]
fn a_get_pending_at_the_end_is_answered() {
    let mut f = Fixture::probed();
    f.park();
    f.receives(Via::Probe, "5");
    f.check("poll 1, upgraded");
    assert!(f.session.is_open());
}

#[test]
fn an_upgrade_without_a_probe_is_accepted() {
    let mut f = Fixture::polling();
    f.opens_probe();
    f.receives(Via::Probe, "5");
    f.check("upgraded");
}

#[test]
fn any_other_packet_on_the_candidate_drops_it_and_polling_goes_on() {
    for wire in [
        "0", "1", "2", "2prob", "3probe", "4x", "bAQ==", "6", "", "x",
    ] {
        for mut f in [Fixture::polling(), Fixture::probed()] {
            let _ = f.session.handle_probe(f.now);
            f.receives(Via::Probe, wire);
            f.receives(Via::Probe, "5");
            f.receives(Via::Polling, "4on polling");
            f.check("drop probe, message on polling");
        }
    }
}

#[test]
fn a_candidate_that_is_lost_leaves_the_session_on_polling() {
    for mut f in [Fixture::polling(), Fixture::probed()] {
        let _ = f.session.handle_probe(f.now);
        f.session
            .handle_transport_closed(Via::Probe, CloseReason::TransportClose, f.now);
        f.check("");
        assert_eq!(f.session.transport(), Transport::Polling);
        assert_eq!(f.session.handle_probe(f.now), Ok(()), "it may try again");
    }
}

#[test]
fn a_candidate_that_takes_too_long_is_dropped() {
    let mut f = Fixture::polling();
    f.at(10).opens_probe();
    f.fires_at(260);
    f.check("drop probe");
    assert_eq!(f.session.handle_probe(f.now), Ok(()), "it may try again");
    f.at(280).receives(Via::Probe, "2probe");
    f.at(510);
    f.session.handle_timeout(f.now);
    f.check("probe 3probe, send 2");
    f.session.handle_timeout(f.now);
    f.check("drop probe");
}

#[test]
fn a_second_candidate_is_refused_and_the_first_unaffected() {
    let mut f = Fixture::probed();
    assert_eq!(
        f.session.handle_probe(f.now),
        Err(Violation::ConcurrentUpgrade)
    );
    f.receives(Via::Probe, "5");
    f.check("upgraded");
}

#[test]
fn a_session_born_on_websocket_is_not_taken_over() {
    let mut f = Fixture::websocket();
    assert_eq!(
        f.session.handle_probe(f.now),
        Err(Violation::ConcurrentUpgrade)
    );
}

#[test]
fn the_heartbeat_goes_on_through_the_upgrade() {
    let mut f = Fixture::probed();
    f.receives(Via::Probe, "5");
    f.check("upgraded");
    f.fires_at(300);
    f.fires_at(500);
    f.check("send 2, close transport, closed: ping timeout");
}

#[test]
fn packets_on_the_candidate_do_not_keep_a_silent_client() {
    let mut f = Fixture::polling();
    f.fires_at(300);
    f.at(450).opens_probe();
    f.receives(Via::Probe, "2probe");
    f.fires_at(500);
    f.check("send 2, probe 3probe, drop probe, closed: ping timeout");
}

#[test]
fn a_session_that_ends_drops_its_candidate_before_the_last_word() {
    let mut f = Fixture::probed();
    f.park();
    f.receives(Via::Polling, "x");
    f.check("poll 1, drop probe, closed: parse error");
    let mut f = Fixture::probed();
    f.park();
    f.receives(Via::Polling, "1");
    f.check("poll 6, drop probe, closed: transport close");
    let mut f = Fixture::probed();
    f.session.abort(CloseReason::ServerShuttingDown);
    f.check("drop probe, closed: server shutting down");
}

//! What a session costs while nothing happens.

use fanfare_proto::engineio::{Output, Packet, Session, Via};

use super::Fixture;

#[test]
fn a_session_is_small() {
    assert!(
        size_of::<Session>() <= 160,
        "{} bytes",
        size_of::<Session>()
    );
}

#[test]
fn an_idle_session_holds_no_heap() {
    let mut sessions = Vec::with_capacity(4);
    let heap = allocation_counter::measure(|| {
        sessions.push(Fixture::websocket());
        sessions.push(Fixture::parked());
        sessions.push(Fixture::probed());
        sessions.push(Fixture::closing());
        for f in &mut sessions {
            let _ = f.session.handle_probe(f.now);
            f.receives(Via::Probe, "2probe");
            f.fires_next();
        }
    });
    assert!(heap.count_total > 0, "allocations are counted");
    assert_eq!(heap.bytes_current, 0);
    assert_eq!(sessions.len(), 4);
}

#[test]
fn a_heartbeat_and_a_get_allocate_nothing() {
    let mut f = Fixture::polling();
    let heap = allocation_counter::measure(|| {
        f.session.handle_poll(f.now).expect("a GET is welcome");
        f.session.handle_poll_parked(f.now);
        f.at(300);
        f.session.handle_timeout(f.now);
        assert_eq!(
            f.session.poll_output(),
            Some(Output::Send(Packet::Ping(String::new())))
        );
        f.session.handle_poll_answered();
        f.session
            .handle_packet(Via::Polling, Packet::Pong(String::new()), f.now);
    });
    assert_eq!(heap.count_total, 0);
}

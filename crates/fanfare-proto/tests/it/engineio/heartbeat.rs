//! When a client is pinged, and when it is lost.

use std::time::{Duration, Instant};

use fanfare_proto::engineio::{Due, Heartbeat};

const INTERVAL: Duration = Duration::from_millis(300);
const TIMEOUT: Duration = Duration::from_millis(200);

struct Fixture {
    start: Instant,
    heartbeat: Heartbeat,
}

impl Fixture {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            start,
            heartbeat: Heartbeat::new(INTERVAL, TIMEOUT, start),
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    #[track_caller]
    fn check(&mut self, ms: u64, expected: Option<Due>) {
        let now = self.at(ms);
        assert_eq!(self.heartbeat.handle_timeout(now), expected, "at {ms} ms");
    }
}

#[test]
fn a_silent_client_is_lost_after_interval_plus_timeout() {
    let mut f = Fixture::new();
    f.check(299, None);
    f.check(300, Some(Due::Ping));
    f.check(499, None);
    f.check(500, Some(Due::Lost));
}

#[test]
fn a_timer_that_fires_late_does_not_move_the_deadline() {
    let mut f = Fixture::new();
    f.check(330, Some(Due::Ping));
    assert_eq!(f.heartbeat.poll_timeout(), f.at(500));
}

#[test]
fn a_process_that_slept_gives_its_client_the_whole_timeout() {
    let mut f = Fixture::new();
    f.check(10_000, Some(Due::Ping));
    assert_eq!(f.heartbeat.poll_timeout(), f.at(10_200));
}

#[test]
fn a_pong_restarts_the_interval_whether_asked_for_or_not() {
    let mut f = Fixture::new();
    f.heartbeat.handle_pong(f.at(100));
    assert_eq!(f.heartbeat.poll_timeout(), f.at(400));
    f.check(400, Some(Due::Ping));
    f.heartbeat.handle_pong(f.at(450));
    assert_eq!(f.heartbeat.poll_timeout(), f.at(750));
}

#[test]
fn another_packet_buys_time_once_in_a_cycle() {
    let mut f = Fixture::new();
    f.heartbeat.handle_packet(f.at(299));
    assert_eq!(f.heartbeat.poll_timeout(), f.at(300));
    f.check(300, Some(Due::Ping));
    f.heartbeat.handle_packet(f.at(450));
    f.heartbeat.handle_packet(f.at(600));
    assert_eq!(f.heartbeat.poll_timeout(), f.at(650));

    f.heartbeat.handle_pong(f.at(640));
    f.check(940, Some(Due::Ping));
    f.heartbeat.handle_packet(f.at(1_000));
    assert_eq!(f.heartbeat.poll_timeout(), f.at(1_200));
}

#[test]
fn a_deferred_pong_is_due_later_and_never_sooner() {
    let mut f = Fixture::new();
    f.heartbeat.defer_pong(f.at(250));
    assert_eq!(f.heartbeat.poll_timeout(), f.at(300));
    f.check(300, Some(Due::Ping));
    f.heartbeat.defer_pong(f.at(400));
    assert_eq!(f.heartbeat.poll_timeout(), f.at(600));
    f.heartbeat.defer_pong(f.at(350));
    assert_eq!(f.heartbeat.poll_timeout(), f.at(600));
    f.heartbeat.handle_packet(f.at(500));
    assert_eq!(f.heartbeat.poll_timeout(), f.at(700));
}

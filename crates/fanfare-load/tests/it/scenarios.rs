//! What a server that is right makes of each scenario.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use fanfare::{Config, Io};
use fanfare_load::{
    Asking, Leaving, Load, Memory, Paced, Slow, Swarm, Transport, burst, churn, echo, gather,
    heartbeat, idle, memory, paced, pending, rooms, slow, storm,
};

use crate::server::Server;

const TRANSPORTS: [Transport; 3] = [Transport::WebSocket, Transport::Polling, Transport::Upgrade];

#[test]
fn one_message_at_a_time_reaches_everybody() {
    let server = Server::of_bench();
    for transport in TRANSPORTS {
        let plan = Paced {
            asking: Asking::Held,
            ..Paced::default()
        };
        let report = paced(&mut server.swarm_over(transport, 100), &plan)
            .unwrap_or_else(|error| panic!("over {transport}: {error}"));
        assert_eq!(report.messages, 30);
        assert_eq!(report.latency.quantiles().count, 30);
        assert_eq!(report.delivery.quantiles().count, 30 * 100);
        assert!(report.server_us_per_delivery.is_some());
        assert!(report.longest_hold_us > Some(0.0), "{report:?}");
    }
}

#[test]
fn who_offers_compression_is_told_everything_too() {
    let config = Config {
        websocket_compression: Some(1_024),
        ..Config::default()
    };
    let server = Server::with(config);
    let plan = Paced {
        text_bytes: 8_192,
        ..Paced::default()
    };
    for (offers, transport, is_compressed) in [
        (true, Transport::WebSocket, true),
        (true, Transport::Upgrade, true),
        (true, Transport::Polling, false),
        (false, Transport::WebSocket, false),
    ] {
        let load = Load {
            compression: offers,
            transport,
            ..server.load(20)
        };
        let mut swarm = Swarm::new(load).expect("so many sockets are allowed");
        let report = paced(&mut swarm, &plan).unwrap_or_else(|error| panic!("{error}"));
        let deliveries = report.delivery.quantiles().count;
        assert_eq!(deliveries, 20 * report.messages as u64);
        match is_compressed {
            true => assert!(deliveries < report.compressed, "{report:?}"),
            false => assert_eq!(report.compressed, 0),
        }
    }
}

#[test]
fn over_tls_everybody_is_told_too() {
    let server = Server::of_bench_over_tls();
    for transport in TRANSPORTS {
        let report = paced(&mut server.swarm_over(transport, 50), &Paced::default())
            .unwrap_or_else(|error| panic!("over {transport}: {error}"));
        assert_eq!(
            report.delivery.quantiles().count,
            50 * report.messages as u64
        );
        burst(&mut server.swarm_over(transport, 20))
            .unwrap_or_else(|error| panic!("over {transport}: {error}"));
    }
}

#[test]
fn a_burst_reaches_everybody_in_order() {
    let server = Server::of_bench();
    for transport in TRANSPORTS {
        let report = burst(&mut server.swarm_over(transport, 20))
            .unwrap_or_else(|error| panic!("over {transport}: {error}"));
        assert_eq!((report.bursts, report.messages), (10, 100));
    }
}

#[test]
fn a_few_messages_at_once_reach_everybody_in_order() {
    let server = Server::of_bench();
    let report = pending(&mut server.swarm(20), 8).expect("all are told");
    assert_eq!((report.messages, report.bursts), (8, 20));
}

#[test]
fn every_emit_has_its_ack() {
    let server = Server::of_bench();
    for transport in TRANSPORTS {
        let report = echo(&mut server.swarm_over(transport, 20))
            .unwrap_or_else(|error| panic!("over {transport}: {error}"));
        assert_eq!(report.acks, 2_000);
        assert_eq!(report.latency.quantiles().count, report.acks);
    }
}

#[test]
fn a_storm_rises_to_all_and_falls_to_half() {
    for transport in TRANSPORTS {
        let io = Io::with(Config::default());
        io.announce_count("user count", |count| count.sockets);
        let server = Server::serving(&io);
        let report = storm(&mut server.swarm_over(transport, 50), Leaving::Nobody)
            .unwrap_or_else(|error| panic!("over {transport}: {error}"));
        assert_eq!(report.clients, 50);
    }
    let io = Io::with(Config::default());
    io.announce_count("user count", |count| count.sockets);
    let report = storm(&mut Server::serving(&io).swarm(50), Leaving::Half).expect("all are told");
    assert!(report.fall.is_some());
}

#[test]
fn each_part_of_a_crowd_sees_all_of_it() {
    let io = Io::with(Config::default());
    io.announce_count("user count", |count| count.sockets);
    let server = Server::serving(&io);
    let part = || gather(&mut server.swarm(20), 40, Duration::from_secs(5));
    thread::scope(|scope| {
        for part in [scope.spawn(part), scope.spawn(part)] {
            let report = part.join().expect("no panic").expect("all come");
            assert_eq!(report.clients, 20);
            assert!(report.joined_at_ms <= report.seen_at_ms, "{report:?}");
        }
    });
}

#[test]
fn a_room_is_told_and_nobody_else() {
    let server = Server::of_bench();
    let members = NonZeroUsize::new(7).expect("seven");
    let report = rooms(&mut server.swarm(30), members).expect("the rooms are apart");
    assert_eq!((report.rooms, report.members), (5, 7));
    assert!(
        report.deliveries < 7 * report.messages as u64,
        "the last room has two members"
    );
}

#[test]
fn clients_come_and_go() {
    let server = Server::of_bench();
    let report = churn(&mut server.swarm(40), 5).expect("all come and go");
    assert_eq!(
        (report.visits, report.latency.quantiles().count),
        (200, 200)
    );
}

#[test]
fn slow_readers_do_not_hold_up_the_others() {
    let mut config = Config::default();
    config.limits.soft_backlog_bytes = 64 << 10;
    config.limits.max_backlog_bytes = 1 << 20;
    let server = Server::with(config);
    let plan = Slow {
        readers: 2,
        messages: 400,
        text_bytes: 32 << 10,
        pause: Duration::from_millis(1),
    };
    let report = slow(&mut server.swarm(8), &plan).expect("the others are told everything");
    assert_eq!(report.latency.quantiles().count, 6 * 400);
    assert_eq!(
        report.disconnected, 2,
        "13 MB are more than all buffers hold"
    );
    assert!(
        report.kernel_queued_bytes > Some(1 << 10),
        "what was written to those who do not read is in the kernel: {report:?}"
    );
}

#[test]
fn slow_readers_within_bounds_catch_up() {
    let server = Server::of_bench();
    let plan = Slow {
        readers: 2,
        messages: 20,
        text_bytes: 1 << 10,
        pause: Duration::from_millis(1),
    };
    let report = slow(&mut server.swarm(4), &plan).expect("the others are told everything");
    assert_eq!((report.caught_up, report.disconnected), (2, 0));
}

#[test]
fn idle_clients_answer_pings() {
    let server = Server::with(Config {
        ping_interval: Duration::from_millis(20),
        ..Config::default()
    });
    for transport in TRANSPORTS {
        let mut swarm = server.swarm_over(transport, 10);
        let report = heartbeat(&mut swarm, Duration::from_millis(500)).expect("all live");
        assert!(
            10 <= report.pings && report.pings <= 250,
            "{}",
            report.pings
        );
    }
}

#[test]
fn idle_clients_are_held() {
    let server = Server::of_bench();
    let report = idle(&mut server.swarm(50), Duration::ZERO).expect("all join");
    assert!(report.server_us_per_join.is_some() && report.private_bytes_per_client.is_some());
}

#[test]
fn a_burst_is_told_whole_to_those_who_did_not_read() {
    let server = Server::of_bench();
    let load = Load {
        header_bytes: 700,
        ..server.load(10)
    };
    let mut swarm = Swarm::new(load).expect("so many sockets are allowed");
    let plan = Memory {
        settle: Duration::ZERO,
        messages: 500,
        text_bytes: 1 << 10,
    };
    let report = memory(&mut swarm, &plan).expect("all are told everything");
    assert!(
        report.peak_bytes_per_client > report.private_bytes_per_client,
        "what was not read waits in the server: {report:?}"
    );
}

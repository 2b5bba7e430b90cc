//! What each scenario says of a server that is wrong, or not there.

use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{Ack, Args, Config, Io, Refusal, Socket};
use fanfare_load::{
    Load, LoadError, Paced, Swarm, Transport, churn, echo, gather, heartbeat, paced, pending, rooms,
};

use crate::server::Server;

#[track_caller]
fn check<T>(result: Result<T, LoadError>, expected: &str) {
    match result {
        Ok(_) => panic!("nothing was found wrong, though {expected}"),
        Err(error) => assert!(error.to_string().contains(expected), "{error}"),
    }
}

/// Two clients of a server with no event, or the one that `register` adds.
fn swarm(register: impl FnOnce(&Io)) -> (Server, Swarm) {
    let io = Io::with(Config::default());
    register(&io);
    let server = Server::serving(&io);
    let load = Load {
        within: Duration::from_millis(500),
        ..server.load(4)
    };
    let swarm = Swarm::new(load).expect("four sockets");
    (server, swarm)
}

#[test]
fn a_server_that_does_not_know_an_event_is_told_which() {
    let (_server, mut swarm) = swarm(|_| ());
    check(
        paced(&mut swarm, &Paced::default()),
        "does not answer 'say'",
    );
    check(pending(&mut swarm, 2), "does not answer 'burst'");
    check(echo(&mut swarm), "does not answer 'echo'");
    let two = NonZeroUsize::new(2).expect("two");
    check(rooms(&mut swarm, two), "does not answer 'join'");
}

#[test]
fn a_certificate_of_somebody_else_is_not_trusted() {
    let [one, other] = [Server::of_bench_over_tls(), Server::of_bench_over_tls()];
    let load = Load {
        tls: one.load(4).tls,
        ..other.load(4)
    };
    let mut swarm = Swarm::new(load).expect("four sockets");
    check(paced(&mut swarm, &Paced::default()), "connection failed");
}

#[test]
fn a_crowd_that_is_too_large_is_noticed() {
    let (_server, mut swarm) = swarm(|io| io.announce_count("user count", |count| count.sockets));
    check(
        gather(&mut swarm, 2, Duration::ZERO),
        "though 2 come in all",
    );
}

#[test]
fn a_message_that_is_left_out_is_noticed() {
    let (_server, mut swarm) = swarm(|io| {
        io.on(
            "burst",
            |socket: Socket, Args((count, text)): Args<(u32, String)>| async move {
                for number in (0..count).filter(|number| *number != 3) {
                    socket.io().emit("say", Args((number, &text)));
                }
            },
        );
    });
    check(pending(&mut swarm, 5), "instead of number 3");
}

#[test]
fn a_message_in_the_wrong_room_is_noticed() {
    let (_server, mut swarm) = swarm(|io| {
        io.on("join", |_: Socket, _: String, ack: Ack| async move {
            ack.send("joined");
        });
        io.on(
            "tell",
            |socket: Socket, Args((_, number, text)): Args<(String, u32, String)>| async move {
                socket.io().emit("say", Args((number, text)));
            },
        );
    });
    let two = NonZeroUsize::new(2).expect("two");
    check(rooms(&mut swarm, two), "it is in another room");
}

#[test]
fn an_ack_with_something_else_is_noticed() {
    let (_server, mut swarm) = swarm(|io| {
        io.on("echo", |_: Socket, _: String, ack: Ack| async move {
            ack.send("something else");
        });
    });
    check(echo(&mut swarm), "for the ack of emit 1");
}

#[test]
fn a_server_that_never_pings_has_no_heartbeat() {
    let (_server, mut swarm) = swarm(|_| ());
    check(
        heartbeat(&mut swarm, Duration::from_millis(50)),
        "nobody was pinged",
    );
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    for transport in [Transport::WebSocket, Transport::Polling] {
        let load = Load {
            transport,
            ..Load::new(address, 2)
        };
        let mut swarm = Swarm::new(load).expect("two sockets");
        check(
            paced(&mut swarm, &Paced::default()),
            &format!("nobody listens at {address}"),
        );
    }
}

#[test]
fn what_is_no_socket_io_is_named() {
    let server = Server::of_bench();
    for transport in [Transport::WebSocket, Transport::Polling] {
        let load = Load {
            path: "/elsewhere/".to_owned(),
            transport,
            ..server.load(2)
        };
        let mut swarm = Swarm::new(load).expect("two sockets");
        check(
            paced(&mut swarm, &Paced::default()),
            "its answer was 'HTTP/1.1 404 Not Found'",
        );
    }
}

#[test]
fn who_listens_and_says_nothing_is_no_socket_io() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let load = Load {
        within: Duration::from_millis(200),
        ..Load::new(address, 2)
    };
    let mut swarm = Swarm::new(load).expect("two sockets");
    check(paced(&mut swarm, &Paced::default()), "nobody could join");
}

#[test]
fn more_clients_than_files_are_refused_with_both_numbers() {
    let address = "127.0.0.1:3000".parse().expect("an address");
    check(
        Swarm::new(Load::new(address, 1 << 40)),
        "1099511627776 clients need 1099511627792 open files",
    );
}

#[test]
fn coming_and_going_is_over_websocket_only() {
    let server = Server::of_bench();
    let mut swarm = server.swarm_over(Transport::Polling, 2);
    check(
        churn(&mut swarm, 1),
        "churn is over websocket only, not over polling",
    );
}

#[test]
fn who_is_not_let_in_is_told_what_was_missing() {
    let (_server, mut swarm) = swarm(|io| {
        io.use_connect(|_| async { Err(Refusal::new("a token is needed")) });
    });
    let said = r#"not let in: 44{"message":"a token is needed"}; it came without a cookie and without auth"#;
    check(paced(&mut swarm, &Paced::default()), said);
}

#[test]
fn a_message_told_twice_is_noticed_even_if_it_is_the_last() {
    let (_server, mut swarm) = swarm(|io| {
        let said = AtomicUsize::new(0);
        io.on("say", move |socket: Socket, text: String| {
            let number = said.fetch_add(1, Ordering::Relaxed) + 1;
            async move {
                socket.io().emit("say", &text);
                // The warm-up is 20 messages, a brief run's share of 4 clients 750.
                if number == 770 {
                    socket.emit("say", &text);
                }
            }
        });
    });
    check(
        paced(&mut swarm, &Paced::default()),
        r#"was told 42["say","00000770"#,
    );
}

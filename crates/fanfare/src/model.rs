//! Model: emitters, flusher, kernel and closers at one shard, in the orders that chance finds.
//!
//! Shuttle runs them as threads that are parted at every lock, and at every write: what the kernel takes of one, and when it
//! takes more, is part of the choice. Nothing in here is in a server.

use std::{
    io::{self, ErrorKind, IoSlice},
    sync::{Arc, Mutex, PoisonError},
};

use shuttle::rand::{Rng as _, thread_rng};
use tokio::net::TcpStream;

/// In place of a connection: it takes some of what is written, or nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream(Arc<Mutex<Kernel>>);

#[derive(Debug, Default)]
struct Kernel {
    taken: Vec<u8>,
    /// What it takes before it is full.
    room_bytes: usize,
}

impl Stream {
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write_vectored(&[IoSlice::new(bytes)])
    }

    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // Whoever writes without holding the outbox is found out here.
        shuttle::thread::yield_now();
        let mut kernel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let most = offered.min(kernel.room_bytes);
        if most == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = thread_rng().gen_range(1..=most);
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        kernel.taken.extend(bytes.take(taken));
        kernel.room_bytes -= taken;
        Ok(taken)
    }

    #[cfg(test)]
    fn grant(&self, bytes: usize) {
        let mut kernel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kernel.room_bytes = kernel.room_bytes.saturating_add(bytes);
    }

    #[cfg(test)]
    fn taken(&self) -> Vec<u8> {
        let kernel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kernel.taken.clone()
    }
}

impl From<Arc<TcpStream>> for Stream {
    fn from(_: Arc<TcpStream>) -> Self {
        unreachable!("the model opens no socket")
    }
}

#[cfg(test)]
mod tests {
    use fanfare_proto::{engineio::Query, websocket::Frames};
    use shuttle::{check_pct, check_random, future, thread};

    use super::*;
    use crate::{
        broadcast::Select,
        clock,
        config::Config,
        dialect::{Dialect, WireForm},
        flusher,
        frame::{self, Encoded},
        head::Head,
        metrics::Holds,
        ranges::Keep,
        server::Server,
        session::{Opening, Session},
        shard::Shard,
        socket_id::SocketId,
    };

    const NAMESPACE: usize = 0;
    const EMITTERS: usize = 2;
    const EVENTS: usize = 4;

    /// One session in the namespace, and the connection that it writes to.
    struct Receiver {
        session: Arc<Session>,
        stream: Stream,
    }

    impl Receiver {
        fn join(server: &Arc<Server>, shard: &Arc<Shard>, number: u8) -> Self {
            let (parts, ()) = http::Request::new(()).into_parts();
            let query = Query::parse("EIO=4&transport=websocket");
            let session = shard.lock().open_slot(|slot| {
                Arc::new(Session::new(
                    Server::new_sid(),
                    server.clone(),
                    shard.clone(),
                    slot,
                    Head::new(&parts, None, 0, &server.alike),
                    Dialect::of(&query),
                    Opening::WebSocket(WireForm::Frames),
                ))
            });
            let stream = Stream::default();
            session.outbox().take_over(stream.clone());
            let id = SocketId::new([number; 15]);
            shard.lock().join(NAMESPACE, session.slot, id);
            Self { session, stream }
        }

        /// What its connection's task does when the kernel has room: each time for some bytes.
        fn take_some(&self, times: usize) {
            for _ in 0..times {
                self.stream.grant(thread_rng().gen_range(0..40));
                let mut out = self.session.outbox();
                out.flush(clock::now()).expect("it does not break");
                thread::yield_now();
            }
        }

        fn take_all(&self) {
            self.stream.grant(usize::MAX);
            let mut out = self.session.outbox();
            out.flush(clock::now()).expect("it does not break");
            assert!(out.is_empty(), "something waits, though there is room");
        }

        /// The messages that arrived, the last as far as it did.
        fn told(&self) -> Vec<String> {
            let bytes = self.stream.taken();
            let payloads = Frames::new(&bytes).map(|(_, payload)| payload.to_vec());
            payloads
                .map(|payload| String::from_utf8(payload).expect("frames are whole"))
                .collect()
        }
    }

    /// `7:3` is event 3 of emitter 7.
    fn event(emitter: usize, number: usize) -> Vec<u8> {
        frame::text(format!("{emitter}:{number}").as_bytes())
    }

    fn broadcast(shard: &Shard, frames: &[u8]) {
        let wake = {
            let mut turn = shard.lock();
            let sent = turn.push_broadcast(
                Encoded::plain(frames),
                NAMESPACE,
                &Select::default(),
                Keep::Event,
            );
            sent.map(|(_, wake)| wake)
        };
        if let Some(wake) = wake {
            shard.tell(wake);
        }
    }

    /// Those of `told` that are of one emitter, by their numbers.
    fn numbers(told: &[String], emitter: usize) -> Vec<usize> {
        let of_emitter = told.iter().filter_map(|message| {
            let (from, number) = message.split_once(':')?;
            (from.parse() == Ok(emitter)).then(|| number.parse().expect("a number"))
        });
        of_emitter.collect()
    }

    /// Two emitters tell two receivers, and one of them something apart; a ping goes ahead; one receiver closes at any time.
    fn one_run() {
        let server = Arc::new(Server::new(Config::default()));
        let shard = Arc::new(Shard::new(Holds::default()));
        let flusher = thread::spawn({
            let shard = shard.clone();
            move || future::block_on(flusher::run(shard))
        });
        let stays = Arc::new(Receiver::join(&server, &shard, 1));
        let goes = Arc::new(Receiver::join(&server, &shard, 2));

        let emitters = (0..EMITTERS).map(|emitter| {
            let (shard, stays) = (shard.clone(), stays.clone());
            thread::spawn(move || {
                for number in 0..EVENTS {
                    broadcast(&shard, &event(emitter, number));
                    let slot = stays.session.slot;
                    let private = event(EMITTERS + emitter, number);
                    shard.tell_after(|turn| turn.push_private(slot, &private, Keep::Event));
                }
            })
        });
        let mut busy = Vec::from_iter(emitters);
        for receiver in [stays.clone(), goes.clone()] {
            busy.push(thread::spawn(move || receiver.take_some(6)));
        }
        let pinged = stays.clone();
        busy.push(thread::spawn(move || {
            pinged.session.send_control(&frame::text(b"2"));
        }));
        let (closed, closer) = (goes.clone(), shard.clone());
        busy.push(thread::spawn(move || {
            closer.lock().free_slot(closed.session.slot);
            closed.session.outbox().close();
        }));
        for thread in busy {
            thread.join().expect("it has not panicked");
        }
        shard.close();
        flusher.join().expect("it has not panicked");
        flusher::write_out_now(&shard);
        stays.take_all();

        let told = stays.told();
        let all = Vec::from_iter(0..EVENTS);
        for emitter in 0..2 * EMITTERS {
            assert_eq!(numbers(&told, emitter), all, "of {emitter}: {told:?}");
        }
        let pings = told.iter().filter(|message| *message == "2").count();
        assert_eq!(pings, 1, "{told:?}");
        assert_eq!(told.len(), 2 * EMITTERS * EVENTS + 1, "{told:?}");

        // Who went was told the first of what the other was told, and nothing twice.
        let is_broadcast = |message: &&String| {
            let emitter = message.split_once(':').map(|(emitter, _)| emitter.parse());
            matches!(emitter, Some(Ok(0..EMITTERS)))
        };
        let broadcasts = Vec::from_iter(told.iter().filter(is_broadcast));
        let before = goes.told();
        let same = before
            .iter()
            .zip(&broadcasts)
            .all(|(one, other)| one == *other);
        assert!(same, "{before:?} is no beginning of {broadcasts:?}");
    }

    /// The flusher's clock: its timers are armed for nobody here.
    fn in_a_runtime(run: impl FnOnce()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without threads");
        let _entered = runtime.enter();
        run();
    }

    #[test]
    fn each_receiver_is_told_everything_once_and_in_order() {
        in_a_runtime(|| check_random(one_run, RUNS));
    }

    #[test]
    fn the_same_where_a_few_threads_are_held_back() {
        in_a_runtime(|| check_pct(one_run, RUNS, 3));
    }

    const RUNS: usize = 5_000;
}

//! One order: of numbers that only rise, and of all that is told to everyone.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex, mpsc},
    time::Duration,
};

use fanfare::{Config, Io, Limits};
use fanfare_testkit::{Client, DEADLINE, connect_with_buffer, eventually, within};
use tokio::task::{JoinSet, block_in_place, spawn_blocking};

use crate::house::House;

/// The lesson: each who joins counts one up, and tells everyone.
pub(crate) fn lesson(io: &Io) {
    let current_users = Arc::new(Mutex::new(0_u64));
    io.on_connect(move |io, _| {
        let current_users = current_users.clone();
        async move {
            let mut current_users = current_users.lock().expect("no emit panics");
            *current_users += 1;
            io.emit("user count", *current_users);
        }
    });
}

/// The lesson, finished.
pub(crate) fn announce(io: &Io) {
    io.announce_count("user count", |count| count.sockets);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn by_the_lesson_no_client_sees_the_count_fall_or_skip() {
    let house = House::with(patient()).await;
    lesson(&house.io);
    for numbers in crowd(&house).await {
        let first = numbers[0];
        assert_eq!(numbers, (first..=CROWD).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_announced_count_never_falls_while_clients_join() {
    let house = House::with(patient()).await;
    announce(&house.io);
    let all = crowd(&house).await;
    for numbers in &all {
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
    let slow = &all[0];
    assert!(
        slow.len() <= 3,
        "of what waits for a slow reader, one value is kept: {slow:?}"
    );
}

/// Lets clients join from many tasks, and one that came first reads nothing meanwhile. Returns the
/// numbers that each was told, the slow one's first, up to the last. Nobody leaves before.
async fn crowd(house: &House) -> Vec<Vec<u64>> {
    let stream = connect_with_buffer(house.address, 4096).await;
    let mut slow = Client::open_over(stream).await;
    slow.join_nsp("/", "").await;
    // More than the kernel takes, so that all that follows waits for the reader.
    for _ in 0..16 {
        house.io.emit("flood", "x".repeat(64 * 1024));
    }
    let mut joining = JoinSet::new();
    for _ in 0..N_JOINING {
        joining.spawn(join_one_by_one(house.address));
    }
    let others = within("all to be told", joining.join_all()).await;
    let mut all = vec![numbers_until_all(slow).await];
    all.extend(others.into_iter().flatten());
    assert_eq!(all.len() as u64, CROWD);
    all.into_iter().map(|(_, numbers)| numbers).collect()
}

async fn join_one_by_one(address: SocketAddr) -> Vec<(Client, Vec<u64>)> {
    let mut listening = Vec::new();
    for _ in 0..(CROWD - 1) / N_JOINING {
        let client = Client::join(address).await;
        listening.push(tokio::spawn(numbers_until_all(client)));
    }
    let mut all = Vec::new();
    for client in listening {
        all.push(client.await.expect("it hears to the end"));
    }
    all
}

async fn numbers_until_all(mut client: Client) -> (Client, Vec<u64>) {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&CROWD) {
        let text = client.hear().await;
        if let Some(number) = user_count(&text) {
            numbers.push(number);
        } else {
            assert!(text.starts_with(r#"42["flood","#), "{text}");
        }
    }
    (client, numbers)
}

/// The number of a `user count` event.
pub(crate) fn user_count(text: &str) -> Option<u64> {
    let number = text.strip_prefix(r#"42["user count","#)?;
    number.strip_suffix(']')?.parse().ok()
}

/// While a count of four is about to be told to everyone, a fifth joins, who must not hear of four.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_number_that_a_newcomer_is_told_counts_the_newcomer() {
    let house = House::open().await;
    let shown = Arc::new(Shown::default());
    let gate = shown.clone();
    house.io.announce_count("user count", move |count| {
        match (count.sockets, gate.note(count.sockets)) {
            // The push to everyone goes on when the fifth has joined,
            (4, 2) => gate.wait(5, 1, DEADLINE),
            // whose greeting waits until the push has had its chance to come before.
            (5, 1) => gate.wait(5, 2, Duration::from_millis(100)),
            _ => {}
        }
        count.sockets
    });
    let mut early = Vec::new();
    for _ in 0..4 {
        early.push(house.client().await);
    }
    eventually("everyone is about to be told of four", || {
        shown.times(4) == 2
    })
    .await;
    let mut fifth = house.client().await;
    fifth.expect(r#"42["user count",5]"#).await;
}

/// How often each count was asked to be shown.
#[derive(Default)]
struct Shown {
    times: Mutex<BTreeMap<u64, usize>>,
    changed: Condvar,
}

impl Shown {
    fn note(&self, count: u64) -> usize {
        let mut times = self.times.lock().expect("nobody panics with it");
        let times = times.entry(count).or_default();
        *times += 1;
        self.changed.notify_all();
        *times
    }

    fn times(&self, count: u64) -> usize {
        let times = self.times.lock().expect("nobody panics with it");
        times.get(&count).copied().unwrap_or_default()
    }

    /// Waits until `count` was shown `wanted` times, or for `patience`.
    fn wait(&self, count: u64, wanted: usize, patience: Duration) {
        let is_short =
            |times: &mut BTreeMap<u64, usize>| times.get(&count).is_none_or(|n| *n < wanted);
        // The worker's other tasks go on elsewhere.
        block_in_place(|| {
            let times = self.times.lock().expect("nobody panics with it");
            drop(self.changed.wait_timeout_while(times, patience, is_short));
        });
    }
}

/// Two threads hand a turn to each other, and emit when they have it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_emitted_before_comes_before_at_every_receiver() {
    let house = House::open().await;
    let mut receivers = JoinSet::new();
    for _ in 0..16 {
        let mut client = house.client().await;
        receivers.spawn(async move {
            for number in 0..HANDOVERS {
                client.expect(&format!(r#"42["turn",{number}]"#)).await;
            }
        });
    }
    let polling = house.polling().await;
    polling.join().await;
    receivers.spawn(async move {
        let mut heard = Vec::new();
        while (heard.len() as u64) < HANDOVERS {
            let payload = polling.receive().await;
            heard.extend(payload.split('\u{1e}').map(str::to_owned));
        }
        let expected = (0..HANDOVERS).map(|number| format!(r#"42["turn",{number}]"#));
        assert!(heard.into_iter().eq(expected));
    });
    let ((to_a, a), (to_b, b)) = (mpsc::channel(), mpsc::channel());
    to_a.send(0).expect("a waits");
    for (turns, to_other) in [(a, to_b), (b, to_a)] {
        let io = house.io.clone();
        spawn_blocking(move || {
            while let Ok(number) = turns.recv_timeout(DEADLINE) {
                if number == HANDOVERS {
                    return;
                }
                io.emit("turn", number);
                // The other one may have seen the last already.
                let _ = to_other.send(number + 1);
            }
        });
    }
    within("all to be heard", receivers.join_all()).await;
}

/// Threads emit without regard to each other while clients come: all hear one order, from where
/// they joined.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_emitters_are_heard_in_one_order_by_all() {
    let house = House::open().await;
    let mut receivers = JoinSet::new();
    for _ in 0..8 {
        let client = house.client().await;
        receivers.spawn(hear_until_over(client));
    }
    let mut emitters = Vec::new();
    for thread in 0..EMITTERS {
        let io = house.io.clone();
        emitters.push(spawn_blocking(move || {
            for number in 0..EMITS {
                io.emit("race", (thread, number));
            }
        }));
    }
    for _ in 0..24 {
        receivers.spawn(hear_until_over(house.client().await));
    }
    for emitter in emitters {
        emitter.await.expect("no emit panics");
    }
    house.io.emit("over", ());
    let heard = within("all to have heard all", receivers.join_all()).await;
    let whole = heard.iter().max_by_key(|heard| heard.len()).expect("many");
    assert_eq!(whole.len(), (EMITTERS * EMITS) as usize);
    assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), whole.len());
    for receiver in &heard {
        assert!(whole.ends_with(receiver), "{receiver:?}");
    }
    for thread in 0..EMITTERS {
        let own = whole.iter().filter(|(emitter, _)| *emitter == thread);
        assert!(own.map(|(_, number)| *number).eq(0..EMITS));
    }
}

async fn hear_until_over(mut client: Client) -> Vec<(u32, u32)> {
    let mut heard = Vec::new();
    loop {
        let text = client.hear().await;
        match text.strip_prefix(r#"42["race",["#) {
            Some(pair) => {
                let (thread, number) = pair.split_once(',').expect("a pair");
                let number = number.trim_end_matches(']');
                let read = |digits: &str| digits.parse().expect("a number");
                heard.push((read(thread), read(number)));
            }
            None => {
                assert!(text.starts_with(r#"42["over""#), "{text}");
                return heard;
            }
        }
    }
}

/// Lets a reader sleep as long as the test wants.
fn patient() -> Config {
    Config {
        limits: Limits {
            stall_timeout: Duration::from_secs(300),
            ..Limits::default()
        },
        ..Config::default()
    }
}

/// Clients of a crowd, the slow one included.
const CROWD: u64 = 401;
const N_JOINING: u64 = 8;
const HANDOVERS: u64 = 2_000;
const EMITTERS: u32 = 4;
const EMITS: u32 = 1_000;

//! Connect and disconnect callbacks come in pairs, whatever ends a socket.

use std::{
    net::SocketAddr,
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use fanfare::{Admission, Count, Io, Refusal, Socket};
use fanfare_client::{Options, Transports};
use fanfare_proto::websocket::{OpCode, encode_masked_frame};
use fanfare_testkit::{Client, Random, eventually, within};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, yield_now},
};

use crate::{
    diary::Diary,
    house::{House, fast},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_says_goodbye_leaves_once() {
    let house = House::open().await;
    let mut client = house.client().await;
    client.send("41").await;
    let callbacks = ["connect", "disconnect: client namespace disconnect"];
    house.saw_out(client, &callbacks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_closes_its_connection_leaves_once() {
    let house = House::open().await;
    let client = house.client().await;
    let id = client.id.clone();
    drop(client);
    house
        .saw(&id, &["connect", "disconnect: transport close"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_crashes_leaves_once() {
    let house = House::open().await;
    let client = house.client().await;
    let id = client.id.clone();
    client.reset();
    house
        .saw(&id, &["connect", "disconnect: transport close"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_falls_silent_leaves_once() {
    let house = House::with(fast()).await;
    let mut client = house.client().await;
    client.websocket.closed().await;
    let callbacks = ["connect", "disconnect: ping timeout"];
    house.saw_out(client, &callbacks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_a_handler_disconnects_twice_leaves_once() {
    let house = House::open().await;
    house.io.on("out", |socket: Socket| async move {
        socket.disconnect();
        socket.disconnect();
    });
    let mut client = house.client().await;
    client.send(r#"42["out"]"#).await;
    client.expect("41").await;
    let callbacks = ["connect", "disconnect: server namespace disconnect"];
    house.saw_out(client, &callbacks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_whose_connection_a_handler_closes_leaves_once() {
    let house = House::open().await;
    house.io.on("out", |socket: Socket| async move {
        socket.close();
        socket.disconnect();
    });
    let mut client = house.client().await;
    client.send(r#"42["out"]"#).await;
    assert_eq!(client.closed().await, ["41"]);
    let callbacks = ["connect", "disconnect: server namespace disconnect"];
    house.saw_out(client, &callbacks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_connect_ends_the_first_in_one_pair() {
    let house = House::open().await;
    let mut client = house.client().await;
    client.send("40").await;
    assert_eq!(client.closed().await, [""; 0]);
    let callbacks = ["connect", "disconnect: forced close"];
    house.saw_out(client, &callbacks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_connect_during_admission_makes_no_pair_at_all() {
    let house = House::open().await;
    let door = Door::at(&house.io);
    let mut client = Client::open(house.address).await;
    client.send("40").await;
    door.somebody_waits().await;
    client.send("40").await;
    assert_eq!(client.closed().await, [""; 0]);
    drop(client);
    door.open();
    house.shut().await;
    assert!(house.diary.ids().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_during_admission_is_never_counted() {
    let house = House::open().await;
    let door = Door::at(&house.io);
    let mut client = Client::open(house.address).await;
    client.send("40").await;
    door.somebody_waits().await;
    client.reset();
    house.is_deserted().await;
    door.open();
    let mut other = house.client().await;
    other.send("41").await;
    let id = other.id.clone();
    let callbacks = ["connect", "disconnect: client namespace disconnect"];
    let diary = house.diary.clone();
    house.saw_out(other, &callbacks).await;
    assert_eq!(diary.ids(), [id].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_disconnects_everyone_once() {
    let house = House::open().await;
    let mut client = house.client().await;
    let id = client.id.clone();
    let polling = house.polling().await;
    let polled = polling.join().await;
    let reading = tokio::spawn(async move { client.closed().await });
    house.shut().await;
    reading.await.expect("the client hears of the end");
    for id in [&id, &polled] {
        let callbacks = ["connect", "disconnect: server shutting down"];
        assert_eq!(house.diary.of(id), callbacks);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_in_a_rush_of_joins_leaves_nobody_behind() {
    for _ in 0..20 {
        let house = Arc::new(House::open().await);
        let mut rush = JoinSet::new();
        for _ in 0..8 {
            let address = house.address;
            rush.spawn(async move { join_again_and_again(address).await });
        }
        eventually("the rush has begun", || 8 <= house.diary.ids().len()).await;
        house.shut().await;
        within("the rush to end", rush.join_all()).await;
        house.shut().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_connect_handler_disconnects_its_socket_once() {
    let house = House::open().await;
    house.io.on_connect(|_, _| async { panic_quietly() });
    let mut client = house.client().await;
    client.expect("41").await;
    let callbacks = ["connect", "disconnect: server namespace disconnect"];
    house.saw_out(client, &callbacks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connect_handler_that_panics_before_it_awaits_is_no_different() {
    let house = House::open().await;
    house
        .io
        .on_connect(|_, _| -> std::future::Ready<()> { panic_quietly() });
    let mut client = house.client().await;
    client.expect("41").await;
    let callbacks = ["connect", "disconnect: server namespace disconnect"];
    house.saw_out(client, &callbacks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panicking_event_handlers_keep_their_socket_and_its_order() {
    let house = House::open().await;
    note_events(&house.io, &house.diary);
    house.io.on("note", |_: Socket| async { panic_quietly() });
    house.io.on("bang", |_: Socket| -> std::future::Ready<()> {
        panic_quietly()
    });
    let mut client = house.client().await;
    for text in [r#"42["note",1]"#, r#"42["bang"]"#, r#"42["note",2]"#, "41"] {
        client.send(text).await;
    }
    let callbacks = [
        "connect",
        "note 1",
        "note 2",
        "disconnect: client namespace disconnect",
    ];
    house.saw_out(client, &callbacks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_disconnect_handler_is_called_once() {
    let house = House::open().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    house.io.on_disconnect(move |_, socket, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move {
            socket.disconnect();
            socket.close();
            panic_quietly::<()>();
        }
    });
    let client = house.client().await;
    let id = client.id.clone();
    client.reset();
    house
        .saw(&id, &["connect", "disconnect: transport close"])
        .await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_said_before_it_left_is_handled_after_its_slow_connect_handler() {
    let house = House::open().await;
    note_events(&house.io, &house.diary);
    let (door, diary) = (Door::default(), house.diary.clone());
    let keeper = door.clone();
    house.io.on_connect(move |_, socket| {
        let (door, diary) = (keeper.clone(), diary.clone());
        async move {
            let _running = diary.begin(&socket, "slow");
            door.wait().await;
        }
    });
    let mut client = house.client().await;
    let id = client.id.clone();
    client.send(r#"42["note",1]"#).await;
    client.send(r#"42["note",2]"#).await;
    door.somebody_waits().await;
    drop(client);
    eventually("the client is gone", || {
        house.io.count() == Count::alone(0, 0)
    })
    .await;
    assert_eq!(house.diary.of(&id), ["connect", "slow"]);
    door.open();
    let callbacks = [
        "connect",
        "slow",
        "note 1",
        "note 2",
        "disconnect: transport close",
    ];
    house.saw(&id, &callbacks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_ends_its_sockets_in_all_namespaces() {
    let house = House::open().await;
    let side = house.io.of("/side");
    house.diary.keep(&side);
    let mut client = house.client().await;
    let main = client.id.clone();
    let aside = client.join_nsp("/side", "").await;
    assert_eq!((house.io.count().sockets, side.count().sockets), (1, 1));
    client.reset();
    let callbacks = ["connect", "disconnect: transport close"];
    eventually("both have left", || {
        house.diary.is_closed(&main) && house.diary.is_closed(&aside)
    })
    .await;
    assert_eq!(house.diary.of(&aside), callbacks);
    assert_eq!(side.count(), Count::alone(0, 0));
    house.saw(&main, &callbacks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polling_client_that_says_goodbye_leaves_once() {
    let house = House::open().await;
    let polling = house.polling().await;
    let id = polling.join().await;
    polling.send("1").await;
    house
        .saw(&id, &["connect", "disconnect: transport close"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polling_client_that_crashes_leaves_once() {
    let house = House::with(fast()).await;
    let polling = house.polling().await;
    let id = polling.join().await;
    polling.park().await.reset();
    // Missed at once, or by a ping if the request had not arrived.
    eventually("the socket has left", || house.diary.is_closed(&id)).await;
    house.shut().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polling_client_that_falls_silent_leaves_once() {
    let house = House::with(fast()).await;
    let polling = house.polling().await;
    let id = polling.join().await;
    house
        .saw(&id, &["connect", "disconnect: ping timeout"])
        .await;
}

/// Each victim is ended in several ways at once, while its successor joins; a successor has to
/// hear what is said afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_ends_come_at_once_a_socket_leaves_once_and_takes_nobody_along() {
    let house = Arc::new(House::open().await);
    let mut chains = JoinSet::new();
    for seed in 0..8 {
        let house = house.clone();
        chains.spawn(async move {
            let mut random = Random::new(seed);
            let mut victim = house.client().await;
            for said in 0..60 {
                let successor = tokio::spawn(Client::join(house.address));
                end(&house, victim, &mut random).await;
                victim = successor.await.expect("it joins");
                let text = format!(r#"42["said",[{seed},{said}]]"#);
                house.io.emit("said", (seed, said));
                within("what was said", async {
                    while victim.hear().await != text {}
                })
                .await;
            }
        });
    }
    chains.join_all().await;
    eventually("all are gone", || house.io.count() == Count::alone(0, 0)).await;
    house.shut().await;
    assert_eq!(house.diary.ids().len(), 8 * 61);
}

/// Ends a client's socket in one or more ways at once.
async fn end(house: &House, mut client: Client, random: &mut Random) {
    let socket = house.socket(&client.id).expect("it is connected");
    let mut ends = JoinSet::new();
    if random.chance(70) {
        let socket = socket.clone();
        ends.spawn(async move { socket.disconnect() });
    }
    if random.chance(30) {
        ends.spawn(async move { socket.close() });
    }
    match random.below(3) {
        0 => drop(client),
        1 => client.reset(),
        _ => {
            // The server may have closed the connection already.
            client.websocket.try_send_bytes(&masked("41")).await;
        }
    }
    ends.join_all().await;
}

fn masked(text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_masked_frame(&mut frame, OpCode::Text, &[text.as_bytes()], [0; 4]);
    frame
}

/// Joins and leaves until the server lets nobody in.
async fn join_again_and_again(address: SocketAddr) {
    let address = format!("http://{address}").parse().expect("an address");
    let options = Options {
        transports: Transports::WebSocket,
        ..Options::default()
    };
    while fanfare_client::Client::connect(&address, options.clone())
        .await
        .is_ok()
    {}
}

/// Where those wait who are to be let in.
#[derive(Clone)]
struct Door {
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(0)),
            waiting: Arc::default(),
        }
    }
}

impl Door {
    /// A door that clients of `io` wait at to be admitted.
    fn at(io: &Io) -> Self {
        let door = Self::default();
        let keeper = door.clone();
        io.admit(move |_| {
            let door = keeper.clone();
            async move {
                door.wait().await;
                Ok::<_, Refusal>(Admission::anonymous())
            }
        });
        door
    }

    async fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        drop(self.permits.acquire().await);
    }

    async fn somebody_waits(&self) {
        eventually("somebody waits", || {
            0 < self.waiting.load(Ordering::Relaxed)
        })
        .await;
    }

    /// Lets everyone in, from now on.
    fn open(&self) {
        self.permits.close();
    }
}

/// Notes the events named `note` with their number. Every second handler waits.
fn note_events(io: &Io, diary: &Diary) {
    let diary = diary.clone();
    io.on("note", move |socket: Socket, number: u32| {
        let diary = diary.clone();
        async move {
            let _running = diary.begin(&socket, format!("note {number}"));
            if number.is_multiple_of(2) {
                yield_now().await;
            }
        }
    });
}

/// Panics without a word on standard error.
fn panic_quietly<T>() -> T {
    resume_unwind(Box::new("meant"))
}

//! Model: after random comings and goings, the server's count is what the clients hold open.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::resume_unwind,
    sync::Arc,
    time::Duration,
};

use fanfare::{Ack, Admission, Config, Count, Io, Refusal, Socket};
use fanfare_client::{Address, Args, Client, ConnectError, Incoming, Options, Transports};
use fanfare_testkit::{DEADLINE, Random, eventually, within};
use serde::Deserialize;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::house::House;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_count_is_what_clients_hold_open_at_every_quiet_point() {
    let mut model = Model::open(SEED).await;
    for round in 0..ROUNDS {
        model.play().await;
        model.is_quiet(round).await;
    }
    for tab in std::mem::take(&mut model.tabs) {
        tab.client.abort().await;
    }
    model.is_quiet(ROUNDS).await;
    model.house.shut().await;
}

/// A server, and what its clients know.
struct Model {
    house: House,
    random: Random,
    address: Arc<Address>,
    /// All that is held open.
    tabs: Vec<Tab>,
    /// Everyone who was ever told to have joined.
    joined: BTreeSet<String>,
}

/// One connection that its client holds open.
struct Tab {
    client: Client,
    transports: Transports,
    user: Option<String>,
    rooms: BTreeSet<String>,
    told: Count,
}

/// What a client says of itself when it joins.
#[derive(Deserialize)]
struct Auth {
    user: Option<String>,
    manner: String,
    millis: u64,
}

impl Model {
    async fn open(seed: u64) -> Self {
        let house = House::with(Config {
            // Who drops the request that opens a session is missed by its first ping.
            ping_interval: Duration::from_secs(1),
            ping_timeout: Duration::from_secs(5),
            ..Config::default()
        })
        .await;
        behave(&house.io);
        house.io.announce_count("user count", |count| count);
        let address = format!("http://{}", house.address);
        Self {
            random: Random::new(seed),
            address: Arc::new(address.parse().expect("an address")),
            house,
            tabs: Vec::new(),
            joined: BTreeSet::new(),
        }
    }

    /// Everyone does something, and others come, all at once.
    async fn play(&mut self) {
        let mut acts = JoinSet::new();
        for tab in std::mem::take(&mut self.tabs) {
            acts.spawn(go_on(tab, Random::new(self.random.number())));
        }
        for _ in 0..NEWCOMERS {
            acts.spawn(come(
                self.address.clone(),
                Random::new(self.random.number()),
            ));
        }
        for outcome in within("all to have acted", acts.join_all()).await {
            self.joined.extend(outcome.joined);
            self.tabs.extend(outcome.tab);
        }
    }

    /// Waits until the server has seen all that its clients did, and compares.
    async fn is_quiet(&mut self, round: usize) {
        let truth = self.truth();
        let io = &self.house.io;
        eventually(
            &format!("seed {SEED}, round {round}: {truth:?} is counted"),
            || io.count() == truth,
        )
        .await;
        io.emit("quiet", round);
        for tab in &mut self.tabs {
            tab.hears_until_quiet(round, truth).await;
        }
        let present: BTreeMap<&str, &Tab> =
            self.tabs.iter().map(|tab| (tab.client.id(), tab)).collect();
        let is_present = |id: &str| present.contains_key(id);
        let diary = &self.house.diary;
        let what = format!("round {round}: who has gone had its callback");
        eventually(&what, || diary.is_closed_but_for(is_present)).await;
        diary.check_pairs(is_present);
        assert!(diary.ids().is_superset(&self.joined));
        self.check_sockets(&present);
        self.check_rooms();
        assert_eq!(io.count(), truth);
    }

    fn truth(&self) -> Count {
        let known: BTreeSet<_> = self
            .tabs
            .iter()
            .filter_map(|tab| tab.user.as_ref())
            .collect();
        let anonymous = self.tabs.iter().filter(|tab| tab.user.is_none()).count();
        Count::alone(self.tabs.len() as u64, (known.len() + anonymous) as u64)
    }

    fn check_sockets(&self, present: &BTreeMap<&str, &Tab>) {
        let sockets = self.house.io.sockets();
        assert_eq!(sockets.len(), present.len());
        for socket in sockets {
            let tab = present.get(socket.id().as_str());
            let tab = tab.unwrap_or_else(|| panic!("{socket:?} is nobody's"));
            assert_eq!(socket.user(), tab.user.as_deref());
            assert_eq!(
                socket.rooms().into_iter().collect::<BTreeSet<_>>(),
                tab.rooms
            );
        }
    }

    fn check_rooms(&self) {
        let io = &self.house.io;
        let n = |is_in: &dyn Fn(&Tab) -> bool| self.tabs.iter().filter(|tab| is_in(tab)).count();
        for one in ROOMS {
            assert_eq!(io.to(one).count(), n(&|tab| tab.rooms.contains(one)));
            assert_eq!(io.except(one).count(), n(&|tab| !tab.rooms.contains(one)));
            for other in ROOMS {
                let either = |tab: &Tab| tab.rooms.contains(one) || tab.rooms.contains(other);
                assert_eq!(io.to(one).to(other).count(), n(&either));
                let only = |tab: &Tab| tab.rooms.contains(one) && !tab.rooms.contains(other);
                assert_eq!(io.to(one).except(other).count(), n(&only));
            }
        }
    }
}

/// What became of one act.
#[derive(Default)]
struct Outcome {
    joined: Option<String>,
    tab: Option<Tab>,
}

impl From<Tab> for Outcome {
    fn from(tab: Tab) -> Self {
        Self {
            joined: Some(tab.client.id().to_owned()),
            tab: Some(tab),
        }
    }
}

/// Somebody comes, in one of many manners.
async fn come(address: Arc<Address>, mut random: Random) -> Outcome {
    let user = random
        .chance(70)
        .then(|| format!("user {}", random.below(N_USERS)));
    let manner = MANNERS[random.below(MANNERS.len())];
    let millis = random.below(20) as u64;
    let user_json = serde_json::to_string(&user).expect("a name is JSON");
    let transports = TRANSPORTS[random.below(TRANSPORTS.len())];
    let options = Options {
        transports,
        auth: Some(format!(
            r#"{{"user":{user_json},"manner":"{manner}","millis":{millis}}}"#
        )),
        ..Options::default()
    };
    let connecting = Client::connect(&address, options);
    let connected = match manner {
        "hasty" => match timeout(Duration::from_millis(millis), connecting).await {
            Ok(connected) => connected,
            Err(_) => return Outcome::default(),
        },
        _ => connecting.await,
    };
    match connected {
        Ok(client) if manner == "unwelcome" => {
            let joined = Some(client.id().to_owned());
            is_put_out(client).await;
            Outcome { joined, tab: None }
        }
        Ok(client) => {
            assert_ne!(manner, "refused");
            Tab {
                client,
                transports,
                user,
                rooms: BTreeSet::new(),
                told: Count::alone(0, 0),
            }
            .into()
        }
        Err(ConnectError::Refused(_)) => {
            assert_eq!(manner, "refused");
            Outcome::default()
        }
        Err(other) => panic!("{manner}: {other}"),
    }
}

/// Somebody who is here goes on.
async fn go_on(mut tab: Tab, mut random: Random) -> Outcome {
    for _ in 0..random.below(4) {
        let room = ROOMS[random.below(ROOMS.len())];
        match random.below(4) {
            0 => {
                assert_eq!(tab.ask("enter", room).await, "1");
                tab.rooms.insert(room.to_owned());
            }
            1 => {
                assert_eq!(tab.ask("exit", room).await, "1");
                tab.rooms.remove(room);
            }
            2 => tab.say("panic", "").await,
            _ => tab.say("dawdle", "").await,
        }
    }
    let joined = Some(tab.client.id().to_owned());
    let gone = Outcome { joined, tab: None };
    match random.below(12) {
        0 => tab.client.disconnect().await,
        1 if tab.is_missed_at_once() => tab.client.abort().await,
        2 => drop(tab.client),
        3 => {
            tab.say("put me out", "").await;
            is_put_out(tab.client).await;
        }
        4 if tab.is_missed_at_once() => {
            tab.say("cut me off", "").await;
            is_put_out(tab.client).await;
        }
        5 if tab.is_missed_at_once() => {
            tab.say("put me out", "").await;
            tab.client.abort().await;
        }
        _ => return tab.into(),
    }
    gone
}

impl Tab {
    /// Whether the server misses the client as soon as it is gone. On polling, it may have been
    /// between two requests.
    fn is_missed_at_once(&self) -> bool {
        self.transports == Transports::WebSocket
    }

    async fn say(&self, event: &str, argument: &str) {
        let args = Args::new(&argument).expect("a text is JSON");
        self.client
            .emit(event, args)
            .await
            .expect("it is connected");
    }

    async fn ask(&self, event: &str, argument: &str) -> String {
        let args = Args::new(&argument).expect("a text is JSON");
        let answer = self.client.emit_with_ack(event, args, DEADLINE).await;
        answer.expect("it is connected").json
    }

    /// Hears what was told, up to the mark; the last count must be the truth.
    async fn hears_until_quiet(&mut self, round: usize, truth: Count) {
        let mut is_quiet = false;
        while !is_quiet || self.told != truth {
            match within("the truth", self.client.next()).await {
                Some(Incoming::Event(event)) if event.name == "quiet" => {
                    assert_eq!(event.args.json, round.to_string());
                    is_quiet = true;
                }
                Some(Incoming::Event(event)) => {
                    assert_eq!(event.name, "user count");
                    let (Told { sockets, users },) = event.args.parse().expect("a count");
                    self.told = Count::alone(sockets, users);
                }
                Some(Incoming::Upgraded) => {}
                Some(Incoming::Disconnected(reason)) => panic!("{}: {reason}", self.client.id()),
                None => panic!("nothing follows the end"),
            }
        }
    }
}

#[derive(Deserialize)]
struct Told {
    sockets: u64,
    users: u64,
}

/// Waits until the server has ended a client's socket.
async fn is_put_out(mut client: Client) {
    within("the end", async {
        while !matches!(client.next().await, Some(Incoming::Disconnected(_)) | None) {}
    })
    .await;
}

/// Lets a server's handlers do what clients ask them for.
fn behave(io: &Io) {
    io.admit(|handshake| async move {
        let auth: Auth = handshake
            .auth()
            .map_err(|wrong| Refusal::new(wrong.to_string()))?;
        match &*auth.manner {
            "refused" => return Err(Refusal::new("not today")),
            "late" | "hasty" => sleep(Duration::from_millis(auth.millis)).await,
            _ => {}
        }
        Ok(match auth.user {
            Some(user) => Admission::user(user),
            None => Admission::anonymous(),
        })
    });
    io.on_connect(|_, socket| async move {
        let auth: Auth = socket.handshake().auth().expect("it was admitted by this");
        match &*auth.manner {
            "unwelcome" => resume_unwind(Box::new("meant")),
            "slow" | "hasty" => sleep(Duration::from_millis(auth.millis)).await,
            _ => {}
        }
    });
    io.on(
        "enter",
        |socket: Socket, room: String, ack: Ack| async move {
            socket.join(room);
            ack.send(1);
        },
    );
    io.on(
        "exit",
        |socket: Socket, room: String, ack: Ack| async move {
            socket.leave(room);
            ack.send(1);
        },
    );
    io.on("panic", |_: Socket| async {
        resume_unwind(Box::new("meant"))
    });
    io.on("dawdle", |_: Socket| sleep(Duration::from_millis(3)));
    io.on(
        "put me out",
        |socket: Socket| async move { socket.disconnect() },
    );
    io.on("cut me off", |socket: Socket| async move { socket.close() });
}

const MANNERS: [&str; 7] = [
    "calm",
    "calm",
    "late",
    "slow",
    "hasty",
    "refused",
    "unwelcome",
];
const TRANSPORTS: [Transports; 3] = [
    Transports::Polling,
    Transports::WebSocket,
    Transports::PollingThenWebSocket,
];
const ROOMS: [&str; 3] = ["kitchen", "cellar", "attic"];
const N_USERS: usize = 25;
const ROUNDS: usize = 20;
const SEED: u64 = 1;
const NEWCOMERS: usize = 60;

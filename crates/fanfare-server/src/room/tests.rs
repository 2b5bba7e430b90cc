//! Nodes of one room in one process: what they tell each other goes through a queue in memory.

use std::{
    net::SocketAddr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use fanfare::{Adapter, BoxFuture, Config, Message, Node, Reply};
use fanfare_daemons::{Postgres, Redis};
use fanfare_testkit::{
    Client, Http, Request, Response, WebSocket, connect, eventually, upgrade_request,
};
use serde_json::Value;
use tokio::sync::mpsc;

use super::*;
use crate::{password::Hasher, site::Site, store::Database, throttle::Throttle};

/// What all nodes share.
struct Ground {
    database: Database,
    redis: Redis,
    hub: Arc<Hub>,
}

impl Ground {
    fn new() -> Self {
        let url = Postgres::shared().new_database();
        let url = url.expect("the server makes databases");
        Self {
            database: url.parse().expect("it is one"),
            redis: Redis::start().unwrap_or_else(|error| panic!("{error}")),
            hub: Arc::default(),
        }
    }

    async fn node(&self) -> Member {
        let is_mute = Arc::<AtomicBool>::default();
        let io = Io::with(Config {
            adapter: Some(Arc::new(Wire {
                hub: self.hub.clone(),
                node: OnceLock::new(),
                is_mute: is_mute.clone(),
            })),
            ..Config::default()
        });
        let url = self.redis.url().parse().expect("it is one");
        let broker = Broker::connect(&url).await.expect("it runs");
        let store = Store::open(&self.database, 1 << 30).await.expect("it runs");
        let store = store.with_sessions_in(broker.clone());
        let hasher = Hasher::new();
        let doors = Doorkeeper::new(&store, hasher.clone(), SESSION_SECONDS);
        let room = Room::open(&io, doors.clone(), &store, Some(broker.clone()));
        let tended = room.clone();
        tokio::spawn(async move {
            tended
                .tend(Duration::from_secs(SESSION_SECONDS.into()))
                .await;
        });
        let site = Site {
            room: room.clone(),
            doors,
            accounts: store.accounts(),
            hasher,
            origins: Vec::new(),
            proxies: Vec::new(),
            session_seconds: SESSION_SECONDS,
            throttle: Throttle::new(Some(broker)),
            cluster: None,
        };
        let listener = io.bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr();
        tokio::spawn(listener.serve(site.router()));
        Member {
            address,
            room,
            is_mute,
        }
    }

    /// Two nodes that know each other.
    async fn two(&self) -> [Member; 2] {
        let [a, b] = [self.node().await, self.node().await];
        for member in [&a, &b] {
            eventually("they know each other", || member.knows(1)).await;
        }
        [a, b]
    }
}

/// A node of the room.
struct Member {
    address: SocketAddr,
    room: Arc<Room>,
    /// It hears, and says nothing any more.
    is_mute: Arc<AtomicBool>,
}

impl Member {
    fn knows(&self, others: usize) -> bool {
        locked(&self.room.neighbours).known() == others
    }

    async fn post(&self, path: &str, form: &str, cookie: &str) -> Response {
        let request = Request::post(path, form)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Cookie", cookie);
        Http::once(self.address, &request).await
    }

    async fn sign_in(&self, name: &str) -> String {
        let answer = self.post("/guest", &format!("username={name}"), "").await;
        cookie_of(&answer)
    }

    /// Opens a page; gives it, and the list of who is there.
    async fn arrive(&self, cookie: &str) -> (Client, Value) {
        let request =
            upgrade_request("/socket.io/?EIO=4&transport=websocket").header("Cookie", cookie);
        let websocket = WebSocket::try_open(connect(self.address).await, &request).await;
        let mut client = Client::over(websocket.expect("the page is of this host")).await;
        client.join_nsp("/", "").await;
        let users = next(&mut client, "users").await;
        (client, users)
    }

    fn names(&self) -> Vec<String> {
        let people = self.room.people();
        let mut names: Vec<_> = people
            .after(None)
            .map(|present| format!("{} {}", present.name.as_str(), present.pages))
            .collect();
        names.sort();
        names
    }
}

fn cookie_of(answer: &Response) -> String {
    let cookie = answer
        .header("set-cookie")
        .unwrap_or_else(|| panic!("{answer:?}"));
    cookie.split(';').next().unwrap_or_default().to_owned()
}

/// The next event of this name; what else comes is passed over.
async fn next(client: &mut Client, wanted: &str) -> Value {
    loop {
        let text = client.hear().await;
        let event = text.strip_prefix("42").unwrap_or("[null]");
        let mut event: Vec<Value> = serde_json::from_str(event).expect("it is JSON");
        if event[0] == wanted {
            return event.pop().unwrap_or_default();
        }
    }
}

async fn is_ended(client: &mut Client) {
    while client.hear().await != "41" {}
}

#[tokio::test]
async fn the_people_of_all_nodes_are_one_list() {
    let ground = Ground::new();
    let [a, b] = ground.two().await;
    let (mut anna, _) = a.arrive(&a.sign_in("Anna").await).await;
    eventually("it is known there", || b.names() == ["Anna 1"]).await;
    let cookie = b.sign_in("Bert").await;
    let (mut bert, users) = b.arrive(&cookie).await;
    assert_eq!(
        (&users["people"][0]["name"], &users["total"]),
        (&"Anna".into(), &2.into())
    );
    let came = next(&mut anna, "user").await;
    assert_eq!(
        (&came["name"], &came["connected"]),
        (&"Bert".into(), &true.into())
    );

    // A page on another node is one more of the same person.
    let (further, _) = a.arrive(&cookie).await;
    for page in [&mut anna, &mut bert] {
        assert_eq!(next(page, "tabs").await["tabs"], 2);
    }
    drop(further);
    for page in [&mut anna, &mut bert] {
        assert_eq!(next(page, "tabs").await["tabs"], 1);
    }

    bert.send(r#"42["typing",true]"#).await;
    assert_eq!(next(&mut anna, "typing").await["people"][0]["name"], "Bert");
    bert.send(r#"42["typing",false]"#).await;
    assert_eq!(next(&mut anna, "typing").await["total"], 0);

    drop(bert);
    let left = next(&mut anna, "user").await;
    assert_eq!(
        (&left["name"], &left["connected"]),
        (&"Bert".into(), &false.into())
    );
    assert_eq!([a.names(), b.names()], [["Anna 1"], ["Anna 1"]]);
}

#[tokio::test]
async fn a_node_that_starts_learns_who_is_there() {
    let ground = Ground::new();
    let a = ground.node().await;
    let _pages = [
        a.arrive(&a.sign_in("Anna").await).await,
        a.arrive(&a.sign_in("Bert").await).await,
    ];
    let b = ground.node().await;
    eventually("it knows", || b.names() == ["Anna 1", "Bert 1"]).await;
}

#[tokio::test]
async fn what_a_node_has_missed_it_learns_soon() {
    let ground = Ground::new();
    let [a, b] = ground.two().await;
    let (anna, _) = a.arrive(&a.sign_in("Anna").await).await;
    eventually("it is known there", || b.names() == ["Anna 1"]).await;
    a.is_mute.store(true, Ordering::Relaxed);
    let _bert = a.arrive(&a.sign_in("Bert").await).await;
    drop(anna);
    eventually("Anna has left", || a.names() == ["Bert 1"]).await;
    a.is_mute.store(false, Ordering::Relaxed);
    eventually("all is known", || b.names() == ["Bert 1"]).await;
}

#[tokio::test]
async fn who_was_on_a_node_that_is_gone_has_left() {
    let ground = Ground::new();
    let [a, b] = ground.two().await;
    let (mut anna, _) = a.arrive(&a.sign_in("Anna").await).await;
    let _bert = b.arrive(&b.sign_in("Bert").await).await;
    let _carla = b.arrive(&b.sign_in("Carla").await).await;
    eventually("they are known", || a.names().len() == 3).await;
    // One says so, of the other nothing is heard any more.
    b.room.tell_nodes_bye();
    eventually("they have left", || a.names() == ["Anna 1"]).await;
    for _ in 0..2 {
        while next(&mut anna, "user").await["connected"] == true {}
    }
    let c = ground.node().await;
    let _dora = c.arrive(&c.sign_in("Dora").await).await;
    eventually("she is known", || a.names() == ["Anna 1", "Dora 1"]).await;
    c.is_mute.store(true, Ordering::Relaxed);
    eventually("she has left", || a.names() == ["Anna 1"]).await;
}

#[tokio::test]
async fn signing_out_on_one_node_ends_the_pages_on_all() {
    let ground = Ground::new();
    let [a, b] = ground.two().await;
    let cookie = a.sign_in("Anna").await;
    let (mut here, _) = a.arrive(&cookie).await;
    let (mut there, _) = b.arrive(&cookie).await;
    let (mut bert, _) = b.arrive(&b.sign_in("Bert").await).await;
    a.post("/logout", "", &cookie).await;
    for page in [&mut here, &mut there] {
        is_ended(page).await;
    }
    while next(&mut bert, "user").await["connected"] == true {}
    for node in [&a, &b] {
        eventually("she has left", || node.names() == ["Bert 1"]).await;
    }
}

#[tokio::test]
async fn another_password_ends_the_other_sessions_on_all_nodes() {
    let ground = Ground::new();
    let [a, b] = ground.two().await;
    let password = "correct+horse+battery";
    let form = format!("username=Anna&password={password}");
    let first = cookie_of(&a.post("/register", &form, "").await);
    let second = cookie_of(&b.post("/login", &form, "").await);
    let (mut keeps, _) = b.arrive(&first).await;
    let (mut loses, _) = b.arrive(&second).await;
    let form = format!("password={password}&new_password=another+horse+battery");
    a.post("/account/password", &form, &first).await;
    is_ended(&mut loses).await;
    a.post("/account/name", "username=Ann", &first).await;
    assert_eq!(next(&mut keeps, "renamed").await["name"], "Ann");
    assert_eq!(b.names(), ["Ann 1"]);
}

#[tokio::test]
async fn a_guests_name_is_one_persons_on_all_nodes() {
    let ground = Ground::new();
    let [a, b] = ground.two().await;
    // Nobody is there yet, and still the name is held.
    let cookie = a.sign_in("Anna").await;
    let form = "username=ANNA&password=correct+horse+battery";
    for (path, form) in [("/guest", "username=anna"), ("/register", form)] {
        let refused = b.post(path, form, "").await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(
            refused.text().contains("the name Anna is taken"),
            "{refused:?}"
        );
    }
    let (page, _) = a.arrive(&cookie).await;
    drop(page);
    eventually("it is free", || {
        a.names().is_empty() && b.names().is_empty()
    })
    .await;
    let free = async { while b.post("/guest", "username=anna", "").await.status != 303 {} };
    fanfare_testkit::within("it is another's", free).await;
}

/// As long as any test, so that nothing is noticed by looking again.
const SESSION_SECONDS: u32 = 3_600;

/// Where all nodes meet.
#[derive(Debug, Default)]
struct Hub {
    nodes: Mutex<Vec<(Node, mpsc::UnboundedSender<Message>)>>,
}

/// One node's way to the hub.
#[derive(Debug)]
struct Wire {
    hub: Arc<Hub>,
    node: OnceLock<Node>,
    is_mute: Arc<AtomicBool>,
}

impl Adapter for Wire {
    fn start(&self, node: Node) {
        let (queue, mut messages) = mpsc::unbounded_channel();
        let hears = node.clone();
        tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                hears.receive(message);
            }
        });
        locked(&self.hub.nodes).push((node.clone(), queue));
        self.node.set(node).expect("it starts once");
    }

    fn publish(&self, message: Message) {
        if self.is_mute.load(Ordering::Relaxed) {
            return;
        }
        let own = self.node.get().expect("it has started").id();
        for (node, queue) in &*locked(&self.hub.nodes) {
            if node.id() != own {
                // The node may have ended with its test.
                let _ = queue.send(message.clone());
            }
        }
    }

    fn reply(&self, _: Reply) {}

    fn others(&self, _: &str) -> BoxFuture<Result<usize, String>> {
        Box::pin(async { Err("nobody asks".to_owned()) })
    }
}

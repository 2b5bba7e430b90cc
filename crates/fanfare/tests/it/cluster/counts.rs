//! The count, with an adapter that says what other nodes have.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use fanfare::{
    Adapter, Admission, BoxFuture, Config, Counted, Elsewhere, Held, Message, Node, Reply,
    UserEvent, WhenUnreachable,
};
use fanfare_testkit::{eventually, within};

use crate::{notes::notes, server::Server};

/// An adapter that carries nothing, and says what it is told to.
#[derive(Debug, Default)]
struct Teller {
    counted: Mutex<Vec<Counted>>,
    node: Mutex<Option<Node>>,
}

impl Teller {
    async fn server() -> (Arc<Self>, Server) {
        let teller = Arc::<Self>::default();
        let server = Server::with(Config {
            adapter: Some(teller.clone()),
            ..Config::default()
        })
        .await;
        (teller, server)
    }

    fn counted(&self) -> Vec<Counted> {
        self.counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// It counts nothing any more.
    fn take_counted(&self) -> Vec<Counted> {
        std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn node(&self) -> Node {
        let node = self.node.lock().unwrap_or_else(PoisonError::into_inner);
        node.clone().expect("it has started")
    }
}

impl Adapter for Teller {
    fn start(&self, node: Node) {
        *self.node.lock().unwrap_or_else(PoisonError::into_inner) = Some(node);
    }

    fn publish(&self, _: Message) {}

    fn reply(&self, _: Reply) {}

    fn others(&self, _: &str) -> BoxFuture<Result<usize, String>> {
        Box::pin(async { Ok(0) })
    }

    fn count(&self, counted: Counted) {
        let mut all = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(counted);
    }
}

fn elsewhere(sockets: u64, users: u64) -> Elsewhere {
    Elsewhere {
        sockets,
        users,
        nodes: 3,
        as_of: Some(SystemTime::UNIX_EPOCH),
        complete: true,
        ..Elsewhere::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_nodes_have_is_added_and_announced() {
    let (teller, server) = Teller::server().await;
    server
        .io
        .announce_count("user count", |count| count.sockets);
    let mut client = server.client().await;
    client.expect(r#"42["user count",1]"#).await;
    let [counted] = &teller.counted()[..] else {
        panic!("it is counted once")
    };
    assert_eq!(counted.nsp(), "/");
    assert_eq!(
        counted.held(),
        Some(Held {
            sockets: 1,
            anonymous: 1,
            users: 1
        })
    );
    counted.tell(elsewhere(41, 20));
    client.expect(r#"42["user count",42]"#).await;
    let count = server.io.count();
    assert_eq!((count.sockets, count.users, count.nodes), (42, 21, 3));
    assert!(count.complete);
    assert_eq!((count.at_least, count.at_most), (42, Some(42)));
    // What is here is in it at once.
    let second = server.client().await;
    client.expect(r#"42["user count",43]"#).await;
    drop(second);
    client.expect(r#"42["user count",42]"#).await;
    assert_eq!(server.io.count_here().sockets, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_number_again_is_not_announced_again() {
    let (teller, server) = Teller::server().await;
    let (pen, mut notes) = notes();
    server
        .io
        .on_count(move |_, count| pen.note(count.sockets.to_string()));
    let _client = server.client().await;
    assert_eq!(notes.next().await, "1");
    let counted = teller.counted().remove(0);
    counted.tell(elsewhere(4, 4));
    assert_eq!(notes.next().await, "5");
    counted.tell(Elsewhere {
        as_of: Some(SystemTime::now()),
        ..elsewhere(4, 4)
    });
    counted.tell(elsewhere(5, 5));
    assert_eq!(notes.next().await, "6");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_anything_is_known_the_count_says_that_it_is_not_all() {
    let (_, server) = Teller::server().await;
    let _client = server.client().await;
    let count = server.io.count();
    assert_eq!(count.sockets, 1);
    assert!(!count.complete);
    assert_eq!((count.at_least, count.at_most), (1, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubts_and_servers_that_do_not_say_make_bounds() {
    let (teller, server) = Teller::server().await;
    assert_eq!(server.io.count().sockets, 0);
    let counted = teller.counted().remove(0);
    counted.tell(Elsewhere {
        doubtful: 10,
        complete: false,
        ..elsewhere(30, 30)
    });
    let count = server.io.count();
    assert_eq!(
        (count.at_least, count.sockets, count.at_most),
        (20, 30, Some(30))
    );
    counted.tell(Elsewhere {
        complete: false,
        may_be_more: true,
        uncounted_nodes: 2,
        ..elsewhere(30, 30)
    });
    let count = server.io.count();
    assert_eq!(
        (count.at_least, count.at_most, count.uncounted_nodes),
        (30, None, 2)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nobody_knows_the_last_number_stands_or_this_nodes_or_none() {
    let (teller, server) = Teller::server().await;
    server
        .io
        .announce_count("user count", |count| count.sockets);
    let mut client = server.client().await;
    client.expect(r#"42["user count",1]"#).await;
    let counted = teller.counted().remove(0);
    counted.tell(elsewhere(9, 9));
    client.expect(r#"42["user count",10]"#).await;

    counted.lose(WhenUnreachable::Freeze);
    let second = server.client().await;
    let count = server.io.count();
    assert_eq!((count.sockets, count.complete), (10, false));
    assert_eq!((count.at_least, count.at_most), (1, None));
    counted.tell(elsewhere(9, 9));
    client.expect(r#"42["user count",11]"#).await;

    counted.lose(WhenUnreachable::Local);
    client.expect(r#"42["user count",2]"#).await;
    counted.tell(elsewhere(9, 9));
    client.expect(r#"42["user count",11]"#).await;

    counted.lose(WhenUnreachable::Hide);
    drop(second);
    eventually("it has left", || server.io.count_here().sockets == 1).await;
    let mut third = server.client().await;
    server.io.emit("mark", 1);
    third.expect(r#"42["mark",1]"#).await;
    client.expect(r#"42["mark",1]"#).await;
    counted.tell(elsewhere(8, 8));
    client.expect(r#"42["user count",10]"#).await;
    third.expect(r#"42["user count",10]"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_may_be_the_one_who_wants_to_know() {
    let (teller, server) = Teller::server().await;
    server.io.of("/chat");
    assert!(teller.counted().is_empty());
    let counted = teller.node().counted("/chat").expect("it is there");
    assert_eq!(counted.held(), Some(Held::default()));
    assert!(
        teller.node().counted("/chat").is_none(),
        "it is counted already"
    );
    assert!(teller.node().counted("/nowhere").is_none());
    let changed = teller.node().count_changed().expect("the server is there");
    let joined = changed.notified();
    let mut client = server.client().await;
    client.join_nsp("/chat", "").await;
    within("the change", joined).await;
    assert_eq!(counted.held().map(|held| held.sockets), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_who_come_and_go_are_told_of_once() {
    let (teller, server) = Teller::server().await;
    server.io.admit(|_| async { Ok(Admission::user("ada")) });
    assert_eq!(server.io.count().users, 0);
    let counted = teller.counted().remove(0);
    assert!(counted.take_touched().is_empty());
    let ada = server.client().await;
    let twice = server.client().await;
    assert_eq!(counted.users(), ["ada".into()]);
    assert_eq!(counted.take_touched(), [("ada".into(), true)].into());
    let (pen, mut notes) = notes();
    server
        .io
        .on_user(move |io, user, event| pen.note(format!("{} {user} {event:?}", io.nsp())));
    counted.tell_user("bob", UserEvent::Came);
    notes.expect(&["/ bob Came"]).await;
    drop(twice);
    eventually("one is left", || server.io.count_here().sockets == 1).await;
    assert!(counted.take_touched().is_empty());
    drop(ada);
    eventually("none is left", || server.io.count_here().sockets == 0).await;
    assert_eq!(counted.take_touched(), [("ada".into(), false)].into());
    // Only who hears of all nodes knows that it was her last.
    counted.tell_user("ada", UserEvent::Left);
    notes.expect(&["/ ada Left"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_user_of_a_new_namespace_comes_once() {
    let (teller, server) = Teller::server().await;
    let games = server.io.of_matching(|name| name.starts_with("/game"));
    games.admit(|_| async { Ok(Admission::user("ada")) });
    let (pen, mut notes) = notes();
    games.on_user(move |io, user, event| pen.note(format!("{} {user} {event:?}", io.nsp())));
    let mut client = server.client().await;
    client.join_nsp("/game", "").await;
    eventually("it is counted", || teller.counted().len() == 1).await;
    teller.counted()[0].tell_user("ada", UserEvent::Came);
    teller.counted()[0].tell_user("ada", UserEvent::Left);
    notes.expect(&["/game ada Came", "/game ada Left"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_is_counted_over_all_nodes_and_those_in_it_are_told() {
    let (teller, server) = Teller::server().await;
    server
        .io
        .on_connect(|_, socket| async move { socket.join("hall") });
    let mut client = server.client().await;
    eventually("it is in", || server.io.to("hall").count() == 1).await;
    let hall = server.io.count_room("hall").expect("there is room");
    assert!(!hall.count().complete);
    let [nsp, room] = &teller.counted()[..] else {
        panic!("the namespace and the room are counted")
    };
    assert_eq!((nsp.nsp(), nsp.room()), ("/", None));
    assert_eq!((room.nsp(), room.room()), ("/", Some("hall")));
    assert_eq!(room.held().map(|held| held.sockets), Some(1));
    hall.announce("here", |count| count.sockets);
    client.expect(r#"42["here",1]"#).await;
    room.tell(elsewhere(41, 20));
    client.expect(r#"42["here",42]"#).await;
    let count = hall.count();
    assert_eq!((count.sockets, count.users, count.nodes), (42, 21, 3));
    assert!(count.complete);
    assert_eq!(server.io.count().sockets, 1, "that is another number");

    room.lose(WhenUnreachable::Hide);
    let second = server.client().await;
    eventually("it is in", || hall.count_here().sockets == 2).await;
    assert_eq!((hall.count().sockets, hall.count().at_least), (42, 1));
    room.tell(elsewhere(40, 20));
    client.expect(r#"42["here",42]"#).await;
    drop(second);
    client.expect(r#"42["here",41]"#).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_another_node_asks_for_is_reported_while_somebody_is_in_it() {
    let (teller, server) = Teller::server().await;
    server.io.admit(|_| async { Ok(Admission::user("ada")) });
    let _client = server.client().await;
    server.io.join("hall");
    let node = teller.node();
    assert!(node.counted_room("/nowhere", "hall").is_none());
    let room = node.counted_room("/", "hall").expect("it is there");
    assert!(!room.is_asked_for());
    assert_eq!(room.held().map(|held| held.users), Some(1));
    assert_eq!(room.users(), ["ada".into()]);
    assert_eq!(room.take_touched(), [("ada".into(), true)].into());
    server.io.leave("hall");
    assert_eq!(room.held(), None);
    assert_eq!(room.take_touched(), [("ada".into(), false)].into());
    // Who asks wants to be told of an empty room, too.
    let hall = server.io.count_room("hall").expect("there is room");
    assert_eq!(room.held(), Some(Held::default()));
    room.tell(elsewhere(3, 2));
    assert_eq!(hall.count().sockets, 3);
    drop(hall);
    assert_eq!(room.held(), None);
    drop((room, teller.take_counted()));
    let hall = server.io.count_room("hall").expect("there is room");
    assert_eq!(hall.count().sockets, 0, "what was known is forgotten");
}

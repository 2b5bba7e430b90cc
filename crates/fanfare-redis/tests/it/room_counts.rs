//! One count of a room on all nodes that ask for it.

use fanfare::{Admission, CountedRoom};
use fanfare_testkit::{Client, Redis, eventually, within};

use crate::{
    counts::{dying, hears, is_right},
    node::Node,
};

/// A node that lets its clients into the hall, and tells them how many are there.
async fn with_hall(redis: &Redis) -> (Node, CountedRoom) {
    let node = Node::start(redis).await;
    let hall = enter_hall(&node);
    (node, hall)
}

fn enter_hall(node: &Node) -> CountedRoom {
    node.io
        .on_connect(|_, socket| async move { socket.join("hall") });
    let hall = node.io.count_room("hall").expect("there is room");
    hall.announce("user count", |count| count.sockets);
    hall
}

async fn hall_is_right(hall: &CountedRoom, sockets: u64) {
    let what = format!("there are {sockets} in the hall, and no more");
    eventually(&what, || {
        let count = hall.count();
        count.complete && count.sockets == sockets
    })
    .await;
}

#[tokio::test]
async fn a_room_is_counted_on_all_nodes_whoever_joins_leaves_or_goes() {
    let redis = Redis::start().await;
    let [(a, of_a), (b, of_b)] = [with_hall(&redis).await, with_hall(&redis).await];
    let mut one = a.client().await;
    hears(&mut one, 1).await;
    let mut two = b.client().await;
    hears(&mut two, 2).await;
    hears(&mut one, 2).await;
    hall_is_right(&of_a, 2).await;
    hall_is_right(&of_b, 2).await;
    assert_eq!(of_a.count().nodes, 2);
    // It stays in the namespace.
    b.io.local().leave("hall");
    hears(&mut one, 1).await;
    hall_is_right(&of_b, 1).await;
    is_right(&b, 2).await;
    a.io.join("hall");
    hears(&mut two, 2).await;
    drop(one);
    hears(&mut two, 1).await;
    hall_is_right(&of_a, 1).await;
}

#[tokio::test]
async fn a_user_in_a_room_on_two_nodes_is_one() {
    let redis = Redis::start().await;
    let [(a, of_a), (b, of_b)] = [with_hall(&redis).await, with_hall(&redis).await];
    for node in [&a, &b] {
        node.io.admit(|_| async { Ok(Admission::user("ada")) });
    }
    let (one, _two) = (a.client().await, b.client().await);
    for hall in [&of_a, &of_b] {
        hall_is_right(hall, 2).await;
        assert_eq!(hall.count().users, 1);
    }
    drop(one);
    hall_is_right(&of_b, 1).await;
    assert_eq!(of_b.count().users, 1);
}

#[tokio::test]
async fn a_room_that_one_node_asks_for_is_counted_on_all_and_forgotten_when_it_is_empty() {
    let redis = Redis::start().await;
    let others = Node::start(&redis).await;
    others.io.admit(|_| async { Ok(Admission::user("ada")) });
    let ada = others.client().await;
    others.io.join("hall");
    let asking = Node::start(&redis).await;
    let hall = asking.io.count_room("hall").expect("there is room");
    hall_is_right(&hall, 1).await;
    assert_eq!(hall.count().users, 1);
    let row = ["HEXISTS", "{socket.io-count}:sum", "/,hall"];
    let users = ["EXISTS", "{socket.io-count}:un:/,hall"];
    assert_eq!(redis.command(&row).await, ":1");
    assert_eq!(redis.command(&users).await, ":1");
    drop(ada);
    hall_is_right(&hall, 0).await;
    within("her key is forgotten", async {
        while redis.command(&users).await != ":0" {}
    })
    .await;
    drop(hall);
    within("the room is forgotten", async {
        while redis.command(&row).await != ":0" {}
    })
    .await;
    // And is counted anew when somebody asks again.
    let _ada = others.client().await;
    others.io.join("hall");
    let hall = asking.io.count_room("hall").expect("there is room");
    hall_is_right(&hall, 1).await;
}

#[tokio::test]
async fn a_node_that_dies_is_taken_out_of_its_rooms() {
    let redis = Redis::start().await;
    let (a, of_a) = with_hall(&redis).await;
    let mut one = a.client().await;
    let (runtime, address) = dying(&redis, enter_hall).await;
    let _two = Client::join(address).await;
    hears(&mut one, 2).await;
    hall_is_right(&of_a, 2).await;
    runtime.shutdown_background();
    hears(&mut one, 1).await;
    hall_is_right(&of_a, 1).await;
}

#[tokio::test]
async fn a_room_is_told_again_to_a_broker_that_has_lost_everything() {
    let mut redis = Redis::start().await;
    let [(a, of_a), (b, of_b)] = [with_hall(&redis).await, with_hall(&redis).await];
    let mut one = a.client().await;
    let two = b.client().await;
    hall_is_right(&of_a, 2).await;
    redis.command(&["FLUSHALL"]).await;
    let _three = b.client().await;
    hears(&mut one, 3).await;
    hall_is_right(&of_b, 3).await;
    redis.kill();
    eventually("that is noticed", || !of_a.count().complete).await;
    drop(two);
    eventually("nobody knows the most", || of_a.count().at_most.is_none()).await;
    assert_eq!(of_a.count().sockets, 3, "the last number stands");
    redis.restart().await;
    hears(&mut one, 2).await;
    hall_is_right(&of_a, 2).await;
}

#[tokio::test]
async fn who_does_not_report_may_have_some_in_a_room() {
    let redis = Redis::start().await;
    let (a, hall) = with_hall(&redis).await;
    let _one = a.client().await;
    hall_is_right(&hall, 1).await;
    let client = redis::Client::open(redis.url()).expect("the URL is one");
    let mut other = client.get_async_pubsub().await.expect("it listens");
    other
        .subscribe("socket.io-request#/#")
        .await
        .expect("it listens");
    eventually("that is said", || hall.count().uncounted_nodes == 1).await;
    assert!(!hall.count().complete);
    assert_eq!(hall.count().at_most, None);
}

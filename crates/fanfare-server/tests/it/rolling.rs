//! Each node in turn is replaced while people talk: no message that was acknowledged is lost, and the number that everyone
//! sees dips by no more than who was on the node.

use std::sync::Arc;

use fanfare_testkit::eventually;
use tokio::task::JoinSet;

use crate::{
    audience::{Audience, Page},
    server::{Ground, Server},
};

const NODES: usize = 3;
const PAGES: usize = 24;
/// One page in so many talks.
const TALKS: usize = 4;

fn node(ground: &Ground) -> Server {
    Server::on_with(ground, &["--drain-seconds", "2"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_acknowledged_message_and_dips_by_no_more_than_a_nodes_share() {
    let ground = Ground::shared();
    let mut servers: Vec<_> = (0..NODES).map(|_| node(&ground)).collect();
    let addresses = servers.iter().map(|server| server.address);
    let audience = Arc::new(Audience::new(addresses, PAGES + 1));
    let mut pages = JoinSet::new();
    for number in 0..PAGES {
        let cookie = servers[0].sign_in(&format!("Guest+{number}")).await;
        let page = Page::new(&audience, number, cookie);
        pages.spawn(match number % TALKS {
            0 => page.talking().live(),
            _ => page.live(),
        });
    }
    audience.all_see(PAGES).await;

    for number in 0..NODES {
        let said = audience.n_acknowledged();
        eventually("people talk", || said + PAGES < audience.n_acknowledged()).await;
        let share = audience.close(number).await;
        assert!(0 < share && share < PAGES, "{share} on node {number}");
        // Somebody may be counted for a moment both where they were and where they went.
        audience.allow(PAGES - share..=PAGES + share);
        let stopped = servers.remove(number);
        let (status, _, log) = stopped.stop_with_log().await;
        assert!(status.success(), "{status} {log}");
        servers.insert(number, node(&ground));
        audience.open(number, servers[number].address).await;
        audience.all_see(PAGES).await;
    }

    audience.fall_silent();
    audience.allow(PAGES..=PAGES + 1);
    // Who has not been there has it from what is stored.
    let cookie = servers[0].sign_in("Newcomer").await;
    pages.spawn(Page::new(&audience, PAGES, cookie).live());
    audience.all_see(PAGES + 1).await;
    audience.all_is_shown_to_all().await;
    assert!(pages.try_join_next().is_none(), "a page has failed");
}

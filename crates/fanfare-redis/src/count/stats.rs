//! Stats: what Node's servers say of themselves. Those that have Socket.IO's admin UI tell how many are in each of their
//! namespaces every 2 s, by the event `server_stats` in the namespace `/admin`. They do not report to the count.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bytes::Bytes;
use fanfare::Message;
use serde::Deserialize;

use super::{known::Elsewhere, reporter::Time};
use crate::wire::{Inbound, Source, Wire};

/// What each server said last.
#[derive(Debug, Default)]
pub(super) struct Stats {
    servers: HashMap<String, Server>,
}

#[derive(Debug)]
struct Server {
    heard: Time,
    /// In each of its namespaces.
    sockets: BTreeMap<String, u64>,
}

/// The event's argument, as far as it is of use here.
#[derive(Debug, Deserialize)]
struct ServerStats {
    #[serde(rename = "serverId")]
    server_id: String,
    namespaces: Vec<NamespaceStats>,
}

#[derive(Debug, Deserialize)]
struct NamespaceStats {
    name: String,
    #[serde(rename = "socketsCount")]
    sockets_count: u64,
}

impl Stats {
    /// Takes an event of `/admin`; all but `server_stats` are ignored.
    pub(super) fn hear(&mut self, now: Time, payload: &Bytes, wire: &Wire) {
        let heard = wire.decode(Source::Broadcasts, ADMIN, payload);
        for inbound in heard.into_iter().flatten() {
            if let Inbound::Message(Message::Emit { event, args, .. }) = inbound
                && event == "server_stats"
                && let Ok(stats) = serde_json::from_str(&args.json)
            {
                self.take(now, stats);
            }
        }
    }

    fn take(&mut self, now: Time, stats: ServerStats) {
        self.servers.retain(|_, server| server.is_fresh(now));
        // What it said before gives way to this.
        self.servers.remove(&stats.server_id);
        let kept = self.servers.values().map(|server| server.sockets.len());
        let n_namespaces = kept.sum::<usize>() + stats.namespaces.len();
        if MAX_SERVERS <= self.servers.len() || MAX_NAMESPACES < n_namespaces {
            return;
        }
        let sockets = stats.namespaces.into_iter();
        let server = Server {
            heard: now,
            sockets: sockets.map(|nsp| (nsp.name, nsp.sockets_count)).collect(),
        };
        self.servers.insert(stats.server_id, server);
    }

    /// Adds to what is known of a namespace those who do not report, but were heard lately; no more servers than there are
    /// strangers. Which of their sockets are still there, nobody knows.
    pub(super) fn add_to(&self, there: &mut Elsewhere, now: Time, nsp: &str) {
        let lately = self.servers.values().filter(|server| server.is_fresh(now));
        let mut lately: Vec<_> = lately
            .filter_map(|server| Some((Reverse(server.heard), *server.sockets.get(nsp)?)))
            .collect();
        lately.sort_unstable();
        for (_, sockets) in lately {
            if there.strangers == 0 {
                return;
            }
            there.strangers -= 1;
            there.sockets = there.sockets.saturating_add(sockets);
            there.users = there.users.saturating_add(sockets);
            there.doubtful = there.doubtful.saturating_add(sockets);
        }
    }
}

impl Server {
    fn is_fresh(&self, now: Time) -> bool {
        now < self.heard + FRESH
    }
}

/// The namespace of the admin UI.
pub(crate) const ADMIN: &str = "/admin";

/// Two that are missed, and a second.
const FRESH: Duration = Duration::from_secs(5);
const MAX_SERVERS: usize = 1_000;
/// Of all servers together.
const MAX_NAMESPACES: usize = 10_000;

#[cfg(test)]
mod tests {
    use fanfare::{RawArgs, Targets, Worth};

    use super::*;
    use crate::wire::{Channels, Responses};

    fn said(server: &str, sockets: u64) -> String {
        format!(
            r#"{{"serverId":"{server}","hostname":"h","clientsCount":9,"namespaces":[{{"name":"/","socketsCount":{sockets}}},{{"name":"/admin","socketsCount":1}}]}}"#
        )
    }

    fn stats(server: &str, sockets: u64) -> ServerStats {
        serde_json::from_str(&said(server, sockets)).expect("it has the form of the admin UI's")
    }

    fn wire(uid: &str) -> Wire {
        Wire {
            uid: uid.into(),
            channels: Channels::new("socket.io"),
            responses: Responses::Shared,
        }
    }

    #[test]
    fn the_event_is_heard_and_others_are_not() {
        let mut all = Stats::default();
        for (event, server) in [("server_stats", "a"), ("socket_connected", "b")] {
            let event = Message::Emit {
                nsp: ADMIN.to_owned(),
                to: Targets::default(),
                event: event.to_owned(),
                args: RawArgs {
                    json: said(server, 3),
                    attachments: Vec::new(),
                },
                manner: Worth::Event.into(),
            };
            let sent = wire("other").encode(&event).expect("it has a form");
            all.hear(Duration::ZERO, &sent.payload.into(), &wire("own"));
        }
        all.hear(
            Duration::ZERO,
            &Bytes::from_static(b"nothing"),
            &wire("own"),
        );
        check(&all, 2, 1, "/", (13, 1));
    }

    #[track_caller]
    fn check(all: &Stats, strangers: u64, now: u64, nsp: &str, expected: (u64, u64)) {
        let mut there = Elsewhere {
            sockets: 10,
            strangers,
            ..Elsewhere::default()
        };
        all.add_to(&mut there, Duration::from_secs(now), nsp);
        assert_eq!((there.sockets, there.strangers), expected);
        assert_eq!(there.doubtful, there.sockets - 10);
    }

    #[test]
    fn who_does_not_report_is_counted_as_it_says() {
        let mut all = Stats::default();
        all.take(Duration::from_secs(0), stats("a", 3));
        all.take(Duration::from_secs(1), stats("b", 4));
        check(&all, 2, 1, "/", (17, 0));
        check(&all, 3, 1, "/", (17, 1));
        check(&all, 2, 1, "/chat", (10, 2));
        all.take(Duration::from_secs(2), stats("a", 5));
        check(&all, 2, 2, "/", (19, 0));
    }

    #[test]
    fn who_is_gone_or_silent_is_not() {
        let mut all = Stats::default();
        all.take(Duration::from_secs(0), stats("a", 3));
        all.take(Duration::from_secs(2), stats("b", 4));
        // One of them has gone: the one that was heard last is more likely to be there.
        check(&all, 1, 2, "/", (14, 0));
        check(&all, 0, 2, "/", (10, 0));
        check(&all, 2, 5, "/", (14, 1));
        check(&all, 2, 7, "/", (10, 2));
    }

    #[test]
    fn no_more_is_kept_than_there_can_be() {
        let mut all = Stats::default();
        for n in 0..2 * MAX_SERVERS {
            all.take(Duration::ZERO, stats(&n.to_string(), 1));
        }
        assert_eq!(all.servers.len(), MAX_SERVERS);
        let mut all = Stats::default();
        for n in 0..3 {
            let name = |n: usize| NamespaceStats {
                name: n.to_string(),
                sockets_count: 1,
            };
            let said = ServerStats {
                server_id: n.to_string(),
                namespaces: (0..MAX_NAMESPACES / 2).map(name).collect(),
            };
            all.take(Duration::ZERO, said);
        }
        assert_eq!(all.servers.len(), 2);
    }
}

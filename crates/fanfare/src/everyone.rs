//! Everyone: what all members of a namespace are sent in a turn, noted once for all of them.
//!
//! A storm of N joins, each told to all, would otherwise touch N² slots. Who is touched for another reason, or comes, or
//! goes, catches up first, so that each is sent everything in order; the rest catch up when the turn ends.

use crate::ranges::Range;

/// What all members of namespaces are sent in this turn.
#[derive(Debug, Default)]
pub(crate) struct Everyone {
    /// By where they lie in the open lane.
    sent: Vec<Sent>,
    /// Bytes that the open lane held in all turns before.
    base: u64,
}

/// Frames for all members of a namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) namespace: usize,
    pub(crate) range: Range,
}

/// Up to where of the open lane, of all turns, somebody has been noted what everyone is sent.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct CaughtUp(u64);

impl Everyone {
    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// What has been sent up to `open_bytes` of this turn's open lane.
    pub(crate) fn up_to(&self, open_bytes: usize) -> CaughtUp {
        CaughtUp(self.base + open_bytes as u64)
    }

    /// Sends `range` of the open lane, behind all that it holds, to all members of a namespace.
    pub(crate) fn push(&mut self, namespace: usize, range: Range) {
        match self.sent.last_mut() {
            Some(last) if last.namespace == namespace && last.range.is_continued_by(&range) => {
                last.range.end = range.end;
            }
            Some(_) | None => self.sent.push(Sent { namespace, range }),
        }
    }

    /// What has been sent since somebody caught up: whole frames, in order.
    pub(crate) fn since(&self, caught_up: CaughtUp) -> impl Iterator<Item = Sent> {
        let from = caught_up.0.saturating_sub(self.base);
        let known = self
            .sent
            .partition_point(|sent| u64::from(sent.range.end) <= from);
        self.sent[known..].iter().map(move |sent| {
            let start = u64::from(sent.range.start).max(from);
            Sent {
                range: Range {
                    start: u32::try_from(start).unwrap_or(sent.range.end),
                    ..sent.range
                },
                ..*sent
            }
        })
    }

    /// Whose members have been sent something, each once.
    pub(crate) fn namespaces(&self) -> Vec<usize> {
        let mut namespaces = Vec::from_iter(self.sent.iter().map(|sent| sent.namespace));
        namespaces.sort_unstable();
        namespaces.dedup();
        namespaces
    }

    /// The next turn begins; this one's open lane had so many bytes.
    pub(crate) fn end_turn(&mut self, open_bytes: usize) {
        self.sent.clear();
        self.base += open_bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    //! Random turns, beside a list of what each session is to be sent.

    use std::{
        collections::{BTreeSet, HashMap},
        sync::Arc,
    };

    use fanfare_proto::engineio::{Query, Sid};

    use crate::{
        broadcast::Select,
        config::Config,
        dialect::{Dialect, WireForm},
        flusher::Pass,
        frame::Encoded,
        head::Head,
        metrics::Holds,
        ranges::{Keep, LatestKey},
        rooms::Watching,
        server::Server,
        session::{Opening, Session},
        shard::{Shard, ShardTurn},
        socket_id::SocketId,
    };

    const NAMESPACES: usize = 2;
    const ROOM: &str = "room";
    const STEPS: usize = 400;
    const SEEDS: u64 = 200;

    /// Marsaglia's xorshift: a seed names a run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % bound as u64).expect("it is below a usize")
        }
    }

    /// What one session is to be sent.
    struct Expected {
        session: Arc<Session>,
        id: SocketId,
        joined: BTreeSet<usize>,
        in_room: BTreeSet<usize>,
        sent: Vec<(String, Keep)>,
    }

    impl Expected {
        fn send(&mut self, text: &str, keep: Keep) {
            let replaces = |(_, older): &&mut (String, Keep)| {
                matches!(keep, Keep::Latest(_)) && *older == keep
            };
            match self.sent.iter_mut().find(replaces) {
                Some(older) => text.clone_into(&mut older.0),
                None => self.sent.push((text.to_owned(), keep)),
            }
        }
    }

    struct Run {
        server: Arc<Server>,
        shard: Arc<Shard>,
        random: Random,
        all: Vec<Expected>,
        n_sent: usize,
    }

    impl Run {
        fn open(&mut self) {
            let request = http::Request::get("/").body(()).expect("it is a request");
            let head = Head::new(&request.into_parts().0, None, 0, &self.server.alike);
            let session = self.shard.lock().open_slot(|slot| {
                Arc::new(Session::new(
                    Server::new_sid(),
                    self.server.clone(),
                    self.shard.clone(),
                    slot,
                    head,
                    Dialect::of(&Query::parse("EIO=4&transport=websocket")),
                    Opening::WebSocket(WireForm::Frames),
                ))
            });
            let mut random = [0; 15];
            random[..8].copy_from_slice(&self.random.0.to_le_bytes());
            self.all.push(Expected {
                session,
                id: SocketId::new(random),
                joined: BTreeSet::new(),
                in_room: BTreeSet::new(),
                sent: Vec::new(),
            });
        }

        fn step(&mut self) {
            let namespace = self.random.below(NAMESPACES);
            let who = self.random.below(self.all.len());
            match self.random.below(20) {
                0..4 => self.join(who, namespace),
                4 => self.leave(who, namespace),
                5 => self.join_room(who, namespace),
                6 => self.replace(who),
                7..10 => self.push_private(who),
                10..17 => self.broadcast(who, namespace),
                17 => self.broadcast_to_room(namespace),
                _ => self.check_turn(),
            }
        }

        fn join(&mut self, who: usize, namespace: usize) {
            let member = &mut self.all[who];
            if member.joined.insert(namespace) {
                let slot = member.session.slot;
                self.shard.lock().join(namespace, slot, member.id);
            }
        }

        fn leave(&mut self, who: usize, namespace: usize) {
            let member = &mut self.all[who];
            member.joined.remove(&namespace);
            member.in_room.remove(&namespace);
            let slot = member.session.slot;
            let mut turn = self.shard.lock();
            turn.leave(namespace, slot, member.id, Watching::default());
        }

        fn join_room(&mut self, who: usize, namespace: usize) {
            let member = &mut self.all[who];
            if member.joined.contains(&namespace) {
                member.in_room.insert(namespace);
                let (slot, id) = (member.session.slot, member.id);
                let mut turn = self.shard.lock();
                let members = turn.members_mut(namespace);
                members.join_room(slot, id, ROOM, Watching::default());
            }
        }

        /// One session ends, and another begins.
        fn replace(&mut self, who: usize) {
            for namespace in 0..NAMESPACES {
                self.leave(who, namespace);
            }
            let gone = self.all.swap_remove(who);
            self.shard.lock().free_slot(gone.session.slot);
            self.open();
        }

        fn text(&mut self) -> String {
            self.n_sent += 1;
            format!("{};", self.n_sent)
        }

        fn push_private(&mut self, who: usize) {
            let text = self.text();
            let member = &mut self.all[who];
            member.send(&text, Keep::Event);
            let slot = member.session.slot;
            let mut turn = self.shard.lock();
            turn.push_private(slot, text.as_bytes(), Keep::Event);
        }

        /// To all of a namespace, or all but one.
        fn broadcast(&mut self, who: usize, namespace: usize) {
            let keep = match self.random.below(4) {
                0 => Keep::Latest(LatestKey(1)),
                1 => Keep::Nothing,
                _ => Keep::Event,
            };
            let but = (self.random.below(3) == 0).then(|| self.all[who].id);
            let select = Select {
                but,
                ..Select::default()
            };
            let is_meant =
                |member: &Expected| member.joined.contains(&namespace) && Some(member.id) != but;
            self.broadcast_to(namespace, &select, keep, is_meant);
        }

        fn broadcast_to_room(&mut self, namespace: usize) {
            let select = Select {
                rooms: [ROOM.into()].into_iter().collect(),
                ..Select::default()
            };
            let is_meant = |member: &Expected| member.in_room.contains(&namespace);
            self.broadcast_to(namespace, &select, Keep::Event, is_meant);
        }

        fn broadcast_to(
            &mut self,
            namespace: usize,
            select: &Select,
            keep: Keep,
            is_meant: impl Fn(&Expected) -> bool,
        ) {
            let text = self.text();
            let mut receivers = 0;
            for member in self.all.iter_mut().filter(|member| is_meant(member)) {
                member.send(&text, keep);
                receivers += 1;
            }
            let frames = Encoded::plain(text.as_bytes());
            let mut turn = self.shard.lock();
            let sent = turn.push_broadcast(frames, namespace, select, keep);
            assert_eq!(sent.map_or(0, |(part, _)| part.receivers), receivers);
        }

        /// Ends the turn, and looks at what each session is sent.
        fn check_turn(&mut self) {
            let mut turn = self.shard.lock();
            let mut pass = Pass::default();
            turn.swap(&mut pass);
            let mut told = told(&mut turn, &pass);
            for member in &mut self.all {
                let expected = std::mem::take(&mut member.sent).into_iter();
                let expected = String::from_iter(expected.map(|(text, _)| text));
                let told = told.remove(&member.session.sid).unwrap_or_default();
                assert_eq!(told, expected);
            }
            assert!(told.is_empty(), "somebody who has gone is told something");
        }
    }

    fn told(turn: &mut ShardTurn, pass: &Pass) -> HashMap<Sid, String> {
        let told = pass.work.iter().filter_map(|work| {
            let session = turn.receiver(work)?;
            let bytes = work.ranges.iter().flat_map(|range| {
                let lane = pass.lanes.get(range.lane);
                &lane[range.start as usize..range.end as usize]
            });
            let text = String::from_utf8(bytes.copied().collect());
            Some((session.sid, text.expect("frames are whole")))
        });
        told.collect()
    }

    #[test]
    fn each_is_sent_what_it_is_to_be_sent_and_in_order() {
        for seed in 1..=SEEDS {
            let server = Arc::new(Server::new(Config::default()));
            let mut run = Run {
                server,
                shard: Arc::new(Shard::new(Holds::default())),
                random: Random(seed),
                all: Vec::new(),
                n_sent: 0,
            };
            for _ in 0..5 {
                run.random.below(2);
                run.open();
            }
            for _ in 0..STEPS {
                run.step();
            }
            run.check_turn();
        }
    }
}

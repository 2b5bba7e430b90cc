//! What a node and the broker's script tell each other about the count: plain values, and the script's flat arguments
//! and answers.

use std::{collections::BTreeMap, time::Duration};

/// What is counted: a namespace by its name, or a room of it, by `namespace,room`. No namespace has a comma in its name.
pub(crate) type Key = Box<str>;

/// The key of a namespace, or of a room of it.
pub(crate) fn key_of(nsp: &str, room: Option<&str>) -> Key {
    match room {
        None => nsp.into(),
        Some(room) => format!("{nsp},{room}").into(),
    }
}

/// The namespace of a key, and the room if it is one.
pub(crate) fn parts_of(key: &str) -> (&str, Option<&str>) {
    match key.split_once(',') {
        None => (key, None),
        Some((nsp, room)) => (nsp, Some(room)),
    }
}

/// What one node has of a key. Always the whole of it, never a difference.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Row {
    pub(crate) sockets: u64,
    /// Those of them without a user key, each of which is a user of its own.
    pub(crate) anonymous: u64,
}

/// What a node says: all that follows `base`, or all there is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Report {
    pub(crate) node: Box<str>,
    /// The node's life: raised whenever it has to begin anew.
    pub(crate) epoch: u64,
    /// Rises with each report, over all lives.
    pub(crate) seq: u64,
    /// The newest report of this life that is known to have arrived; 0 if none.
    pub(crate) base: u64,
    pub(crate) stage: Stage,
    /// When it was made, by the broker's clock as far as the node knows it, since 1970; `None` before the first answer.
    pub(crate) made: Option<Duration>,
    /// The newest version of totals that the node has.
    pub(crate) seen: u64,
    /// Rows that may be new; `None` if the node has nothing of the key any more.
    pub(crate) rows: BTreeMap<Key, Option<Row>>,
    /// Users that have come to this node (`true`) or left it.
    pub(crate) users: BTreeMap<(Key, Box<str>), bool>,
}

/// Where in its life a node is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Stage {
    /// The first report of a life that has arrived, as far as the node knows. `has_more`: users of it follow.
    Begins { has_more: bool },
    /// A further one. `has_more`: of what the life began with, more follows.
    Goes { has_more: bool },
    /// The last: the node stops.
    #[default]
    Ends,
}

/// What the script answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    Accepted(Standing),
    /// The broker does not have what the report builds on: the node has to begin a new life.
    Unknown,
    /// The broker has a newer report of this node.
    Late,
}

/// How things stand, by the broker's clock.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Standing {
    /// Since 1970.
    pub(crate) now: Duration,
    /// The newest version of any total.
    pub(crate) version: u64,
    /// Nodes whose lease has not ended.
    pub(crate) live: u64,
    /// Those of them that have not reported for two ticks.
    pub(crate) late: u64,
    /// Lives whose users are not all in yet, or not all out.
    pub(crate) unsettled: u64,
    /// When a changed total may be published that could not be now.
    pub(crate) wait: Option<Duration>,
    /// Totals newer than the node has.
    pub(crate) totals: BTreeMap<Key, Total>,
    /// What nodes that are late have in these totals: sockets that may be gone.
    pub(crate) doubtful: BTreeMap<Key, u64>,
    /// Namespaces with more servers than report, and how many more.
    pub(crate) strangers: BTreeMap<Key, u64>,
}

/// The sum of all rows of a key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Total {
    pub(crate) sockets: u64,
    /// Distinct over all nodes.
    pub(crate) users: u64,
    /// Rises with each change of the key.
    pub(crate) version: u64,
    /// Since when anybody counts the key, since 1970.
    pub(crate) since: Duration,
}

/// What all nodes are told when totals have changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct News {
    /// Nodes that are late, and lives that are unsettled.
    pub(crate) doubts: u64,
    pub(crate) totals: BTreeMap<Key, Total>,
    /// Users who came to the cluster (`true`) or left it.
    pub(crate) edges: Vec<(Key, Box<str>, bool)>,
}

/// A form that is not what the script writes.
#[derive(Debug, thiserror::Error)]
#[error("the count's script answered {0:?}")]
pub(crate) struct Unreadable(String);

impl Stage {
    fn as_arg(self) -> &'static str {
        match self {
            Self::Begins { has_more: false } => "begins",
            Self::Begins { has_more: true } => "begins, more",
            Self::Goes { has_more: false } => "goes",
            Self::Goes { has_more: true } => "goes, more",
            Self::Ends => "ends",
        }
    }
}

impl Standing {
    /// Nodes that are late, and lives that are unsettled.
    pub(crate) fn doubts(&self) -> u64 {
        self.late.saturating_add(self.unsettled)
    }
}

impl Report {
    /// The script's arguments: `node epoch seq base stage made seen`, then how many rows, each as `key sockets anonymous`
    /// (`-1 0` for none), then users, each as `key user 1|0`.
    pub(crate) fn to_args(&self) -> Vec<String> {
        let mut args = vec![
            self.node.to_string(),
            self.epoch.to_string(),
            self.seq.to_string(),
            self.base.to_string(),
            self.stage.as_arg().to_owned(),
            self.made.map_or(0, |made| made.as_millis()).to_string(),
            self.seen.to_string(),
            self.rows.len().to_string(),
        ];
        for (key, row) in &self.rows {
            let (sockets, anonymous) = match row {
                Some(row) => (row.sockets.to_string(), row.anonymous.to_string()),
                None => ("-1".to_owned(), "0".to_owned()),
            };
            args.extend([key.to_string(), sockets, anonymous]);
        }
        for ((key, user), is_here) in &self.users {
            let is_here = if *is_here { "1" } else { "0" };
            args.extend([key.to_string(), user.to_string(), is_here.to_owned()]);
        }
        args
    }
}

impl Reply {
    /// Reads the script's answer: `unknown`, `late`, or `accepted now version live late unsettled wait` and three
    /// lists, each behind its length: totals (`key sockets users version since`), doubtful (`key sockets`) and
    /// strangers (`key servers`).
    ///
    /// # Errors
    ///
    /// Another form.
    pub(crate) fn from_values(values: &[String]) -> Result<Self, Unreadable> {
        let unreadable = || Unreadable(values.join(" "));
        let mut words = Words(values.iter());
        let reply = match words.text().ok_or_else(unreadable)? {
            "unknown" => Self::Unknown,
            "late" => Self::Late,
            "accepted" => Self::Accepted(words.standing().ok_or_else(unreadable)?),
            _ => return Err(unreadable()),
        };
        Ok(reply)
    }
}

impl News {
    /// Reads what the script publishes: doubts, the same list of totals as in its answer, then edges, each as
    /// `key user 1|0`; as a JSON array of strings.
    ///
    /// # Errors
    ///
    /// Another form.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, Unreadable> {
        let unreadable = || Unreadable(String::from_utf8_lossy(json).into_owned());
        let values: Vec<String> = serde_json::from_slice(json).map_err(|_| unreadable())?;
        let mut words = Words(values.iter());
        let doubts = words.number().ok_or_else(unreadable)?;
        let totals = words.list(Words::total).ok_or_else(unreadable)?;
        let edge = |words: &mut Words<'_>| {
            Some((words.key()?, words.text()?.into(), words.text()? == "1"))
        };
        let edges = words.list(edge).ok_or_else(unreadable)?;
        Ok(Self {
            doubts,
            totals,
            edges,
        })
    }
}

/// Values still to be read.
struct Words<'a>(std::slice::Iter<'a, String>);

impl<'a> Words<'a> {
    fn text(&mut self) -> Option<&'a str> {
        self.0.next().map(String::as_str)
    }

    fn key(&mut self) -> Option<Key> {
        self.text().map(Key::from)
    }

    fn number(&mut self) -> Option<u64> {
        self.text()?.parse().ok()
    }

    fn millis(&mut self) -> Option<Duration> {
        self.number().map(Duration::from_millis)
    }

    fn list<T, C: FromIterator<T>>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<C> {
        let len = self.number()?;
        (0..len).map(|_| read(self)).collect()
    }

    fn total(&mut self) -> Option<(Key, Total)> {
        let key = self.key()?;
        let total = Total {
            sockets: self.number()?,
            users: self.number()?,
            version: self.number()?,
            since: self.millis()?,
        };
        Some((key, total))
    }

    fn standing(&mut self) -> Option<Standing> {
        let keyed = |words: &mut Self| Some((words.key()?, words.number()?));
        Some(Standing {
            now: self.millis()?,
            version: self.number()?,
            live: self.number()?,
            late: self.number()?,
            unsettled: self.number()?,
            wait: Some(self.millis()?).filter(|wait| !wait.is_zero()),
            totals: self.list(Self::total)?,
            doubtful: self.list(keyed)?,
            strangers: self.list(keyed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rooms_key_names_its_namespace() {
        for (nsp, room) in [("/", None), ("/chat", Some("hall")), ("/", Some("a,b/\0"))] {
            assert_eq!(parts_of(&key_of(nsp, room)), (nsp, room));
        }
    }

    #[test]
    fn news_are_read_as_the_script_writes_them() {
        let json = br#"["0","1","/","3","2","17","1000","1","/","ada","1"]"#;
        let news = News::from_json(json).expect("the form");
        let total = Total {
            sockets: 3,
            users: 2,
            version: 17,
            since: Duration::from_secs(1),
        };
        assert_eq!(news.totals, [("/".into(), total)].into());
        assert_eq!(news.edges, [("/".into(), "ada".into(), true)]);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(
            words in prop::collection::vec("accepted|late|/|[0-9]{1,3}|18446744073709551615", 0..30),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = Reply::from_values(&words);
            let _ = News::from_json(&serde_json::to_vec(&words).expect("texts"));
            let _ = News::from_json(&bytes);
        }
    }
}

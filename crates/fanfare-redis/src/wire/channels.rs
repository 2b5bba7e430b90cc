//! Channels: what they are called, and what comes on which.

use std::sync::Arc;

use fanfare::Targets;

/// The names of a cluster's channels.
#[derive(Clone, Debug)]
pub(crate) struct Channels {
    prefix: Arc<str>,
}

/// What a channel carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    Broadcasts,
    Requests,
    Responses,
}

/// Where responses go to nodes of other makers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Responses {
    /// To the channel that all listen to.
    Shared,
    /// To the asker's own, which adapters before 8.2 do not listen to.
    Specific,
}

impl Channels {
    pub(crate) fn new(prefix: &str) -> Self {
        let prefix = prefix.into();
        Self { prefix }
    }

    /// Where events go that are for these sockets.
    pub(crate) fn broadcast(&self, nsp: &str, to: &Targets) -> String {
        let Self { prefix } = self;
        match &to.rooms[..] {
            [room] => format!("{prefix}#{nsp}#{room}#"),
            _ => format!("{prefix}#{nsp}#"),
        }
    }

    /// A pattern for all of a namespace's broadcasts.
    pub(crate) fn broadcasts(&self, nsp: &str) -> String {
        beginning_with(&format!("{}#{nsp}#", self.prefix))
    }

    pub(crate) fn requests(&self, nsp: &str) -> String {
        format!("{}-request#{nsp}#", self.prefix)
    }

    /// What the channels of requests begin with, before `#namespace#`.
    pub(crate) fn all_requests(&self) -> String {
        format!("{}-request", self.prefix)
    }

    pub(crate) fn responses(&self, nsp: &str) -> String {
        format!("{}-response#{nsp}#", self.prefix)
    }

    /// Where a node is answered alone.
    pub(crate) fn responses_to(&self, nsp: &str, uid: &str) -> String {
        format!("{}-response#{nsp}#{uid}#", self.prefix)
    }

    /// Where totals of the count are told.
    pub(crate) fn count(&self) -> String {
        format!("{}-count", self.prefix)
    }

    /// What the keys of the count begin with: one hash tag, so that a Redis Cluster keeps them in one place.
    pub(crate) fn count_keys(&self) -> String {
        format!("{{{}-count}}", self.prefix)
    }

    /// Where a node speaks to itself. No pattern of a namespace matches it.
    pub(crate) fn canary(&self, uid: &str) -> String {
        format!("{}{uid}#", self.canary_begins())
    }

    /// A pattern for those of all nodes.
    pub(crate) fn canaries(&self) -> String {
        beginning_with(&self.canary_begins())
    }

    /// The node of which a channel is the canary's.
    pub(crate) fn node_of_canary<'a>(&self, channel: &'a str) -> Option<&'a str> {
        let rest = channel.strip_prefix(&self.canary_begins())?;
        rest.strip_suffix('#')
    }

    fn canary_begins(&self) -> String {
        format!("{}-canary#", self.prefix)
    }
}

/// A pattern for all names that begin with `begin`.
fn beginning_with(begin: &str) -> String {
    let mut pattern = String::new();
    for letter in begin.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '^' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('*');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_room_has_a_channel_and_all_else_the_namespaces() {
        let channels = Channels::new("socket.io");
        let to = |rooms: &[&str]| Targets {
            rooms: rooms.iter().map(|&room| room.to_owned()).collect(),
            except: vec!["x".to_owned()],
        };
        assert_eq!(channels.broadcast("/", &to(&[])), "socket.io#/#");
        assert_eq!(channels.broadcast("/a", &to(&["r"])), "socket.io#/a#r#");
        assert_eq!(channels.broadcast("/a", &to(&["r", "s"])), "socket.io#/a#");
    }

    #[test]
    fn a_canary_tells_whose_it_is() {
        let channels = Channels::new("a*");
        assert_eq!(channels.canaries(), r"a\*-canary#*");
        let canary = channels.canary("node");
        assert_eq!(channels.node_of_canary(&canary), Some("node"));
        assert_eq!(channels.node_of_canary("a*-request#/#"), None);
    }

    #[test]
    fn a_namespace_called_like_a_pattern_is_none() {
        let channels = Channels::new("p");
        assert_eq!(channels.broadcasts("/a"), "p#/a#*");
        assert_eq!(channels.broadcasts(r"/*[a]?\"), r"p#/\*\[a\]\?\\#*");
    }
}

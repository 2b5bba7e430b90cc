//! Subscriptions: what should be heard, and what is. Plain data, without a connection.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use bytes::Bytes;

/// What should be heard, in groups that come and go together; and which of them are.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    groups: HashMap<GroupId, Group>,
    ears: HashMap<Name, (GroupId, Ear)>,
    /// Those that the connection has been subscribed to, whether they still should be or not.
    confirmed: HashMap<GroupId, Vec<Name>>,
    made: u64,
}

/// Takes what comes: the channel and the payload.
#[derive(Clone)]
pub(crate) struct Ear(Arc<Hear>);

type Hear = dyn Fn(&str, Bytes) + Send + Sync;

/// Names a group while it is there.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct GroupId(u64);

impl GroupId {
    /// The first that a link subscribes to.
    pub(super) const CANARY: Self = Self(0);
}

/// Subscriptions that come and go together.
#[derive(Debug)]
pub(crate) struct Group(Vec<(Name, Ear)>);

/// A channel, or a pattern for many.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Name {
    Channel(Arc<str>),
    Pattern(Arc<str>),
}

/// What has to be done about a connection.
#[derive(Debug, Default)]
pub(super) struct Change {
    gone: Vec<GroupId>,
    new: Vec<(GroupId, Vec<Name>)>,
    pub(super) unsubscribe: Names,
    pub(super) subscribe: Names,
}

/// Names, by their kind.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Names {
    pub(super) channels: Vec<String>,
    pub(super) patterns: Vec<String>,
}

impl Ear {
    /// `hear` must not block.
    pub(crate) fn new(hear: impl Fn(&str, Bytes) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(super) fn hear(&self, channel: &str, payload: Bytes) {
        (self.0)(channel, payload);
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ear")
    }
}

impl Name {
    pub(crate) fn channel(name: &str) -> Self {
        Self::Channel(name.into())
    }

    pub(crate) fn pattern(name: &str) -> Self {
        Self::Pattern(name.into())
    }
}

impl Group {
    pub(crate) fn of(names: impl IntoIterator<Item = (Name, Ear)>) -> Self {
        Self(names.into_iter().collect())
    }

    fn names(&self) -> Vec<Name> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }
}

impl Subscriptions {
    pub(super) fn add(&mut self, group: Group) -> GroupId {
        let id = GroupId(self.made);
        self.made += 1;
        for (name, ear) in &group.0 {
            self.ears.insert(name.clone(), (id, ear.clone()));
        }
        self.groups.insert(id, group);
        id
    }

    pub(super) fn remove(&mut self, id: GroupId) {
        for name in self.groups.remove(&id).iter().flat_map(Group::names) {
            // Another group may have the name by now.
            if self.ears.get(&name).is_some_and(|(owner, _)| *owner == id) {
                self.ears.remove(&name);
            }
        }
    }

    pub(super) fn remove_all_but(&mut self, kept: GroupId) {
        let others: Vec<_> = self.groups.keys().copied().collect();
        for id in others.into_iter().filter(|id| *id != kept) {
            self.remove(id);
        }
    }

    pub(super) fn ear(&self, name: &Name) -> Option<Ear> {
        let (_, ear) = self.ears.get(name)?;
        Some(ear.clone())
    }

    pub(super) fn is_confirmed(&self, id: GroupId) -> bool {
        self.confirmed.contains_key(&id)
    }

    /// What makes the connection hear what should be heard.
    pub(super) fn change(&self) -> Change {
        let mut change = Change::default();
        let mut kept = HashSet::new();
        for (id, names) in &self.confirmed {
            match self.groups.contains_key(id) {
                true => kept.extend(names),
                false => change.gone.push(*id),
            }
        }
        for id in &change.gone {
            for name in &self.confirmed[id] {
                if !kept.contains(name) {
                    change.unsubscribe.push(name);
                }
            }
        }
        for (id, group) in &self.groups {
            if !self.confirmed.contains_key(id) {
                let names = group.names();
                names.iter().for_each(|name| change.subscribe.push(name));
                change.new.push((*id, names));
            }
        }
        change
    }

    /// Whether the connection still hears what nobody wants to hear any more.
    pub(super) fn hears_too_much(&self) -> bool {
        self.confirmed
            .keys()
            .any(|id| !self.groups.contains_key(id))
    }

    /// The connection has been changed so. Returns whether that is a change.
    pub(super) fn confirm(&mut self, change: Change) -> bool {
        let is_change = !change.gone.is_empty() || !change.new.is_empty();
        for id in change.gone {
            self.confirmed.remove(&id);
        }
        self.confirmed.extend(change.new);
        is_change
    }

    /// The connection has ended.
    pub(super) fn forget_confirmed(&mut self) {
        self.confirmed.clear();
    }
}

impl Names {
    fn push(&mut self, name: &Name) {
        match name {
            Name::Channel(name) => self.channels.push(String::from(&**name)),
            Name::Pattern(name) => self.patterns.push(String::from(&**name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(names: &[&str]) -> Group {
        let ear = Ear::new(|_, _| ());
        Group::of(names.iter().map(|name| (Name::channel(name), ear.clone())))
    }

    fn sorted(names: &Names) -> Vec<&str> {
        assert!(names.patterns.is_empty());
        let mut names: Vec<_> = names.channels.iter().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_is_added_is_subscribed_once_on_each_connection() {
        let mut all = Subscriptions::default();
        let id = all.add(group(&["a", "b"]));
        let change = all.change();
        assert_eq!(sorted(&change.subscribe), ["a", "b"]);
        assert!(all.confirm(change) && all.is_confirmed(id));
        let change = all.change();
        assert_eq!(sorted(&change.subscribe), [""; 0]);
        assert!(!all.confirm(change));
        all.forget_confirmed();
        assert!(!all.is_confirmed(id));
        assert_eq!(sorted(&all.change().subscribe), ["a", "b"]);
    }

    #[test]
    fn what_is_removed_while_it_is_subscribed_is_unsubscribed_next() {
        let mut all = Subscriptions::default();
        let id = all.add(group(&["a"]));
        let change = all.change();
        all.remove(id);
        all.confirm(change);
        assert!(all.ear(&Name::channel("a")).is_none());
        let change = all.change();
        assert_eq!(sorted(&change.unsubscribe), ["a"]);
        all.confirm(change);
        assert_eq!(sorted(&all.change().unsubscribe), [""; 0]);
    }

    #[test]
    fn a_name_that_another_group_has_stays() {
        let mut all = Subscriptions::default();
        let old = all.add(group(&["a", "b"]));
        let change = all.change();
        all.confirm(change);
        all.add(group(&["b"]));
        let change = all.change();
        all.confirm(change);
        all.remove(old);
        assert!(all.ear(&Name::channel("b")).is_some());
        assert_eq!(sorted(&all.change().unsubscribe), ["a"]);
    }
}

//! Namespaces: by their names, and families of those that are made when a client first asks for one.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
    time::Instant,
};

use fanfare_proto::socketio::Nsp;

use crate::{
    admission::Handshake,
    clock,
    cluster::Adapter,
    config::EmptyNamespaces,
    handler::BoxFuture,
    io::Io,
    namespace::Namespace,
    recovery::{Discarded, Recovery},
    server::Server,
};

/// All namespaces of a server.
pub(crate) struct Namespaces {
    by_name: RwLock<HashMap<Nsp, Held>>,
    families: RwLock<Vec<Arc<Family>>>,
    listeners: RwLock<Vec<Listener>>,
    numbers: Mutex<Numbers>,
    /// Those that nobody is in, but somebody may come back to.
    lingering: Mutex<Vec<(Instant, Arc<Namespace>)>>,
    recovery: Option<Recovery>,
    /// Told which namespaces there are.
    adapter: Option<Arc<dyn Adapter>>,
}

type Listener = Arc<dyn Fn(Io) + Send + Sync>;

/// How long a namespace is there.
enum Held {
    Always(Arc<Namespace>),
    WhileUsed(Weak<Namespace>),
}

/// Namespaces that have their handlers in common, and are made when a client first asks for one.
pub(crate) struct Family {
    /// Where the handlers are registered. Nobody is ever in it.
    pub(crate) parent: Arc<Namespace>,
    pub(crate) choice: Choice,
}

/// What decides whether a namespace is of a family.
pub(crate) enum Choice {
    ByName(Box<dyn Fn(&str) -> bool + Send + Sync>),
    ByClient(Box<dyn Fn(Handshake) -> BoxFuture<bool> + Send + Sync>),
}

/// Where shards keep a namespace's members. What has ended gives its number back.
#[derive(Default)]
struct Numbers {
    used: usize,
    free: Vec<usize>,
}

impl Held {
    fn get(&self) -> Option<Arc<Namespace>> {
        match self {
            Self::Always(namespace) => Some(namespace.clone()),
            Self::WhileUsed(namespace) => namespace.upgrade(),
        }
    }
}

impl Family {
    fn has_name(&self, nsp: &Nsp) -> bool {
        match &self.choice {
            Choice::ByName(matches) => matches(nsp.as_str()),
            Choice::ByClient(_) => false,
        }
    }
}

impl Namespaces {
    pub(crate) fn new(recovery: Option<Recovery>, adapter: Option<Arc<dyn Adapter>>) -> Self {
        Self {
            by_name: RwLock::default(),
            families: RwLock::default(),
            listeners: RwLock::default(),
            numbers: Mutex::default(),
            lingering: Mutex::default(),
            recovery,
            adapter,
        }
    }

    pub(crate) fn get(&self, nsp: &Nsp) -> Option<Arc<Namespace>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(nsp)?.get()
    }

    /// The namespace of this name, or the parent of a family.
    pub(crate) fn get_or_parent(&self, nsp: &Nsp) -> Option<Arc<Namespace>> {
        self.get(nsp).or_else(|| {
            let families = self.families();
            let family = families.iter().find(|family| family.parent.nsp == *nsp)?;
            Some(family.parent.clone())
        })
    }

    pub(crate) fn all(&self) -> Vec<Arc<Namespace>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.values().filter_map(Held::get).collect()
    }

    pub(crate) fn families(&self) -> Vec<Arc<Family>> {
        let families = self.families.read();
        families.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn has_families(&self) -> bool {
        let families = self.families.read();
        !families.unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Calls `listener` with each namespace that is made from now on.
    pub(crate) fn add_listener(&self, listener: impl Fn(Io) + Send + Sync + 'static) {
        let mut listeners = self
            .listeners
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.push(Arc::new(listener));
    }

    /// Adds a family, behind those that are there.
    pub(crate) fn add_family(&self, choice: Choice) -> Arc<Namespace> {
        let mut families = self
            .families
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // The reference's name for it. Nobody joins it, whatever a client asks for.
        let nsp = Nsp::parse(&format!("/_{}", families.len())).unwrap_or_default();
        if let Some(adapter) = &self.adapter {
            adapter.add_namespace(nsp.as_str());
        }
        let parent = Arc::new(Namespace::new_parent(nsp, self.recovery.clone()));
        families.push(Arc::new(Family {
            parent: parent.clone(),
            choice,
        }));
        parent
    }

    /// Keeps a namespace that somebody may come back to, until `until`. Returns those whose time is over.
    fn linger(&self, namespace: Arc<Namespace>, until: Instant) -> Discarded {
        let mut lingering = self
            .lingering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lingering.retain(|(_, other)| !Arc::ptr_eq(other, &namespace));
        lingering.push((until, namespace));
        take_over(&mut lingering)
    }

    fn end_lingering(&self) {
        let over = take_over(
            &mut self
                .lingering
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        drop(over);
    }

    /// A namespace has ended: nothing refers to it any more.
    pub(crate) fn forget(&self, namespace: &Namespace) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have made another of its name meanwhile.
        if let Some(Held::WhileUsed(held)) = by_name.get(&namespace.nsp)
            && held.strong_count() == 0
        {
            by_name.remove(&namespace.nsp);
        }
        drop(by_name);
        if let Some(adapter) = &self.adapter {
            adapter.remove_namespace(namespace.nsp.as_str());
        }
        self.numbers().free.push(namespace.number);
    }

    fn numbers(&self) -> std::sync::MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_number(&self) -> usize {
        let mut numbers = self.numbers();
        numbers.free.pop().unwrap_or_else(|| {
            numbers.used += 1;
            numbers.used - 1
        })
    }
}

impl Server {
    /// The namespace of this name, which is made if need be, and stays.
    pub(crate) fn namespace_or_new(self: &Arc<Self>, nsp: &Nsp) -> Arc<Namespace> {
        let families = self.namespaces.families();
        let family = families.iter().find(|family| family.has_name(nsp));
        let parent = family.map(|family| &family.parent);
        let (namespace, is_new) = self.get_or_make(nsp, parent, Held::Always);
        if is_new {
            self.tell_of(&namespace);
        }
        namespace
    }

    /// The namespace that a client asks for, of a family that has agreed.
    ///
    /// # Errors
    ///
    /// [`TooManyNamespaces`] if clients have had as many made as they may.
    pub(crate) fn child_or_new(
        self: &Arc<Self>,
        nsp: &Nsp,
        family: &Family,
    ) -> Result<Arc<Namespace>, TooManyNamespaces> {
        self.namespaces.end_lingering();
        if let Some(namespace) = self.namespaces.get(nsp) {
            return Ok(namespace);
        }
        let made = self.namespaces.families();
        let made: usize = made.iter().map(|family| family.parent.n_children()).sum();
        if self.config.limits.max_dynamic_namespaces <= made {
            return Err(TooManyNamespaces);
        }
        let hold = match self.config.empty_namespaces {
            EmptyNamespaces::End => |namespace| Held::WhileUsed(Arc::downgrade(&namespace)),
            EmptyNamespaces::Stay => Held::Always,
        };
        let (namespace, _) = self.get_or_make(nsp, Some(&family.parent), hold);
        self.tell_of(&namespace);
        Ok(namespace)
    }

    /// Keeps a namespace that would end now for as long as who has left it may come back. Returns those to which
    /// nobody has.
    pub(crate) fn keep_for_return(&self, namespace: &Arc<Namespace>) -> Discarded {
        if let Some(settings) = &namespace.recovery
            && self.config.empty_namespaces == EmptyNamespaces::End
            && namespace.is_child()
        {
            let until = clock::now() + settings.max_away;
            return self.namespaces.linger(namespace.clone(), until);
        }
        Discarded::default()
    }

    /// Returns whether it had to be made.
    fn get_or_make(
        &self,
        nsp: &Nsp,
        parent: Option<&Arc<Namespace>>,
        hold: impl FnOnce(Arc<Namespace>) -> Held,
    ) -> (Arc<Namespace>, bool) {
        let namespaces = &self.namespaces;
        let mut by_name = namespaces
            .by_name
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(namespace) = by_name.get(nsp).and_then(Held::get) {
            if let held @ Held::Always(_) = hold(namespace.clone()) {
                by_name.insert(nsp.clone(), held);
            }
            return (namespace, false);
        }
        let (number, recovery) = (namespaces.new_number(), namespaces.recovery.clone());
        let namespace = match parent {
            None => Arc::new(Namespace::new(nsp.clone(), number, recovery)),
            Some(parent) => {
                let latest_key = |event: &str| self.latest_key(number, event);
                Namespace::new_child(nsp.clone(), number, parent, namespaces, latest_key)
            }
        };
        if let Some(adapter) = &namespaces.adapter {
            adapter.add_namespace(nsp.as_str());
        }
        by_name.insert(nsp.clone(), hold(namespace.clone()));
        (namespace, true)
    }

    /// Has the application told of a namespace, before any client is let in.
    fn tell_of(self: &Arc<Self>, namespace: &Arc<Namespace>) {
        namespace.ready.call_once(|| {
            let listeners = self.namespaces.listeners.read();
            let listeners = listeners.unwrap_or_else(PoisonError::into_inner).clone();
            for listener in listeners {
                let io = Io::new_in(self.clone(), namespace.clone());
                if catch_unwind(AssertUnwindSafe(|| listener(io))).is_err() {
                    tracing::error!(
                        nsp = namespace.nsp.as_str(),
                        "a listener to new namespaces panicked"
                    );
                }
            }
        });
    }
}

/// Clients have had `max_dynamic_namespaces` made.
#[derive(Debug)]
pub(crate) struct TooManyNamespaces;

/// Takes out what nobody has come back to in time.
fn take_over(lingering: &mut Vec<(Instant, Arc<Namespace>)>) -> Discarded {
    let now = clock::now();
    lingering
        .extract_if(.., |(until, _)| *until < now)
        .map(|(_, namespace)| namespace)
        .collect()
}

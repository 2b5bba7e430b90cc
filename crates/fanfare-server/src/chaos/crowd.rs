//! Crowd: the clients, each of which comes back to another node when it has lost its own.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fanfare_client::{Address, Client, Incoming, Options, Transports};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{
    recorder::Recorder,
    scene::{Place, Scene},
};

/// All clients there can be. They go when this is dropped.
#[derive(Debug)]
pub(super) struct Crowd {
    site: Arc<Site>,
    wishes: Vec<watch::Sender<Wish>>,
    _tasks: JoinSet<()>,
}

/// Where clients go.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) nodes: Vec<Address>,
    /// Which of them can be gone to.
    up: Mutex<Vec<bool>>,
    event: String,
    options: Options,
    pub(super) recorder: Recorder,
}

/// Where a client is to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wish {
    Nowhere,
    At(usize),
}

impl Site {
    pub(super) fn new(nodes: Vec<Address>, event: &str, path: &str, n_clients: usize) -> Self {
        let options = Options {
            transports: Transports::WebSocket,
            path: path.to_owned(),
            connect_timeout: CONNECT_PATIENCE,
            ..Options::default()
        };
        Self {
            up: Mutex::new(vec![true; nodes.len()]),
            nodes,
            event: event.to_owned(),
            options,
            recorder: Recorder::new(n_clients),
        }
    }

    /// Clients go to this node, if they have to go.
    pub(super) fn open(&self, node: usize) {
        self.set(node, true);
    }

    /// Clients go to this node no more.
    pub(super) fn close(&self, node: usize) {
        self.set(node, false);
    }

    fn set(&self, node: usize, is_up: bool) {
        self.up.lock().unwrap_or_else(PoisonError::into_inner)[node] = is_up;
    }

    /// The nodes that can be gone to.
    pub(super) fn up(&self) -> Vec<usize> {
        let up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        (0..up.len()).filter(|node| up[*node]).collect()
    }

    /// Another node than the one that was lost, if there is one.
    fn another(&self, lost: usize, random: &mut fastrand::Rng) -> usize {
        let mut others = self.up();
        others.retain(|node| *node != lost);
        random.choice(others).unwrap_or(lost)
    }
}

impl Crowd {
    /// Nobody comes yet.
    pub(super) fn new(site: Arc<Site>, seed: u64) -> Self {
        let n_clients = site.recorder.scene().clients().count();
        let mut tasks = JoinSet::new();
        let wishes = (0..n_clients).map(|number| {
            let (wishes, wish) = watch::channel(Wish::Nowhere);
            let member = Member {
                number,
                site: site.clone(),
                wish,
                random: fastrand::Rng::with_seed(seed.wrapping_add(number as u64)),
            };
            tasks.spawn(member.live());
            wishes
        });
        Self {
            wishes: wishes.collect(),
            site,
            _tasks: tasks,
        }
    }

    /// The first `n_clients` are spread evenly over the nodes that are up, and the others leave.
    pub(super) fn spread(&self, n_clients: usize) {
        let scene = self.site.recorder.scene();
        let up = self.site.up();
        let shares = up.iter().enumerate().map(|(number, node)| {
            let share = n_clients / up.len() + usize::from(number < n_clients % up.len());
            (*node, share)
        });
        let mut room: Vec<(usize, usize)> = shares.collect();
        let mut homeless = Vec::new();
        for client in 0..n_clients {
            let Place::Joined(node) = scene.client(client).place else {
                homeless.push(client);
                continue;
            };
            match room.iter_mut().find(|(at, left)| *at == node && 0 < *left) {
                Some((_, left)) => *left -= 1,
                None => homeless.push(client),
            }
        }
        let free = room
            .iter()
            .flat_map(|(node, left)| std::iter::repeat_n(*node, *left));
        for (client, node) in homeless.into_iter().zip(free) {
            self.wish(client, Wish::At(node));
        }
        self.leave(n_clients..self.wishes.len());
    }

    /// These come, to the nodes in turn.
    pub(super) fn join(&self, clients: Range<usize>) {
        let up = self.site.up();
        for client in clients {
            self.wish(client, Wish::At(up[client % up.len()]));
        }
    }

    /// These leave.
    pub(super) fn leave(&self, clients: Range<usize>) {
        for client in clients {
            self.wish(client, Wish::Nowhere);
        }
    }

    /// Whether all who are to be connected are, and nobody else is.
    pub(super) fn is_complete(&self, scene: &Scene) -> bool {
        scene.clients().all(|(client, seen)| match seen.place {
            Place::Joined(_) => self.is_wanted(client),
            Place::Absent => !self.is_wanted(client),
            Place::Between | Place::Coming(_) | Place::Going(_) => false,
        })
    }

    /// How many are to be connected.
    pub(super) fn n_wanted(&self) -> usize {
        let clients = 0..self.wishes.len();
        clients.filter(|client| self.is_wanted(*client)).count()
    }

    fn is_wanted(&self, client: usize) -> bool {
        *self.wishes[client].borrow() != Wish::Nowhere
    }

    /// Whether nobody is coming or going.
    pub(super) fn is_resting(scene: &Scene) -> bool {
        scene
            .clients()
            .all(|(_, seen)| matches!(seen.place, Place::Joined(_) | Place::Absent))
    }

    fn wish(&self, client: usize, wish: Wish) {
        self.wishes[client].send_replace(wish);
    }
}

/// A client.
struct Member {
    number: usize,
    site: Arc<Site>,
    wish: watch::Receiver<Wish>,
    random: fastrand::Rng,
}

impl Member {
    async fn live(mut self) {
        let mut wish = Wish::Nowhere;
        loop {
            wish = match wish {
                Wish::Nowhere => match self.wish.changed().await {
                    Ok(()) => *self.wish.borrow_and_update(),
                    // The crowd is no more.
                    Err(_) => return,
                },
                Wish::At(node) => self.stay_at(node).await,
            };
        }
    }

    /// Connects and listens; returns where to go then.
    async fn stay_at(&mut self, node: usize) -> Wish {
        let (number, site) = (self.number, self.site.clone());
        let moved = |place| site.recorder.moved(number, place);
        moved(Place::Coming(node));
        let Ok(mut client) = Client::connect(&site.nodes[node], site.options.clone()).await else {
            return self.come_back(node).await;
        };
        moved(Place::Joined(node));
        loop {
            tokio::select! {
                incoming = client.next() => match incoming {
                    Some(Incoming::Event(event)) if event.name == site.event => {
                        if let Ok((count,)) = event.args.parse() {
                            site.recorder.heard(number, count);
                        }
                    }
                    Some(Incoming::Event(_) | Incoming::Upgraded) => {}
                    Some(Incoming::Disconnected(_)) | None => return self.come_back(node).await,
                },
                changed = self.wish.changed() => {
                    let wish = match changed {
                        Ok(()) => *self.wish.borrow_and_update(),
                        Err(_) => Wish::Nowhere,
                    };
                    moved(Place::Going(node));
                    client.disconnect().await;
                    moved(away(wish));
                    return wish;
                }
            }
        }
    }

    /// After a while, to another node, as the official client does behind a balancer.
    async fn come_back(&mut self, lost: usize) -> Wish {
        self.site.recorder.moved(self.number, Place::Between);
        let pause = AWAY.start + (AWAY.end - AWAY.start).mul_f64(self.random.f64());
        tokio::select! {
            () = sleep(pause) => Wish::At(self.site.another(lost, &mut self.random)),
            Ok(()) = self.wish.changed() => {
                let wish = *self.wish.borrow_and_update();
                self.site.recorder.moved(self.number, away(wish));
                wish
            }
        }
    }
}

/// Where a client is that is nowhere, and wishes this.
fn away(wish: Wish) -> Place {
    match wish {
        Wish::Nowhere => Place::Absent,
        Wish::At(_) => Place::Between,
    }
}

/// How long a client is away that has lost its connection: the official one's first delay, and how it is spread.
const AWAY: Range<Duration> = Duration::from_millis(500)..Duration::from_millis(1_500);
/// The official client's.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);

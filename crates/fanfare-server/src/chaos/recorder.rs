//! Recorder: what happens to all clients, as it happens.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    scene::{Place, Scene, What},
    verdict::{Entry, Record},
};

/// What is known of all clients, and of what has happened since the fault.
#[derive(Debug)]
pub(super) struct Recorder(Mutex<State>);

#[derive(Debug)]
struct State {
    scene: Scene,
    run: Option<Run>,
}

/// A run under way.
#[derive(Debug)]
struct Run {
    began: Instant,
    start: Scene,
    entries: Vec<Entry>,
}

impl Recorder {
    pub(super) fn new(n_clients: usize) -> Self {
        Self(Mutex::new(State {
            scene: Scene::new(n_clients),
            run: None,
        }))
    }

    /// Everything from now on belongs to a run.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        state.run = Some(Run {
            began: Instant::now(),
            start: state.scene.clone(),
            entries: Vec::new(),
        });
    }

    /// The run ends; the count could be right again at `from`.
    pub(super) fn end(&self, from: Instant) -> Record {
        let run = self.state().run.take();
        let Run {
            began,
            start,
            entries,
        } = run.expect("a run was begun");
        Record {
            start,
            entries,
            from: seconds(from.saturating_duration_since(began)),
            end: seconds(began.elapsed()),
        }
    }

    /// A client is somewhere else.
    pub(super) fn moved(&self, client: usize, place: Place) {
        self.state().apply(client, What::Moved(place));
    }

    /// A client was told a number.
    pub(super) fn heard(&self, client: usize, number: u64) {
        self.state().apply(client, What::Heard(number));
    }

    /// A node is about to be ended: its clients are on their way from it, before they notice.
    pub(super) fn node_ends(&self, node: usize) {
        let mut state = self.state();
        for client in state.scene.joined_at(node) {
            state.apply(client, What::Moved(Place::Going(node)));
        }
    }

    /// How everything is.
    pub(super) fn scene(&self) -> Scene {
        self.state().scene.clone()
    }

    /// Waits until everything has been right for as long as `stay`, or `patience` is over while it is wrong.
    ///
    /// # Errors
    ///
    /// [`StillWrong`].
    pub(super) async fn right_for(
        &self,
        stay: Duration,
        patience: Duration,
    ) -> Result<(), StillWrong> {
        let deadline = Instant::now() + patience;
        let mut since = None;
        loop {
            let now = Instant::now();
            since = match self.state().scene.is_right() {
                true => since.or(Some(now)),
                false => None,
            };
            match since {
                Some(since) if stay <= now - since => return Ok(()),
                None if deadline <= now => return Err(StillWrong),
                Some(_) | None => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// Waits until `is_so`.
    ///
    /// # Errors
    ///
    /// [`StillWrong`] after `patience`.
    pub(super) async fn until(
        &self,
        patience: Duration,
        is_so: impl Fn(&Scene) -> bool,
    ) -> Result<(), StillWrong> {
        let deadline = Instant::now() + patience;
        while !is_so(&self.state().scene) {
            if deadline <= Instant::now() {
                return Err(StillWrong);
            }
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply(&mut self, client: usize, what: What) {
        // Of a client that is going, nothing counts any more until it is gone.
        let place = self.scene.client(client).place;
        if matches!((place, what), (Place::Going(_), What::Heard(_))) {
            return;
        }
        self.scene.apply(client, what);
        if let Some(run) = &mut self.run {
            let at = seconds(run.began.elapsed());
            run.entries.push(Entry { at, client, what });
        }
    }
}

/// To the microsecond, which is finer than anything that is heard.
fn seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1_000_000.0
}

/// The time is up.
#[derive(Clone, Copy, Debug)]
pub(super) struct StillWrong;

/// Between two looks at whether all is right.
const LOOK: Duration = Duration::from_millis(50);
/// Between two looks at whether clients are where they should be, whose end is measured from.
const GLANCE: Duration = Duration::from_millis(2);

//! What is done to the cluster, and from when the count could be right again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::time::sleep;

use super::{
    args::Fault,
    cluster::Cluster,
    crowd::{Crowd, Site},
    proxy::Proxy,
    scene::Place,
};

/// What a fault is done to.
pub(super) struct Stage<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) crowd: &'a Crowd,
    pub(super) site: &'a Site,
    pub(super) n_clients: usize,
    pub(super) pause: Duration,
}

impl Stage<'_> {
    /// Does it to `node`, where it is done to one; returns from when the count could be right.
    ///
    /// # Errors
    ///
    /// If it can't be done.
    pub(super) async fn inject(&mut self, fault: Fault, node: usize) -> anyhow::Result<Instant> {
        let now = Instant::now();
        match fault {
            Fault::Join => {
                let newcomers = self.n_clients..self.n_clients + tenth(self.n_clients);
                self.crowd.join(newcomers.clone());
                self.until_complete(newcomers.end).await
            }
            Fault::Leave => {
                let rest = self.n_clients - tenth(self.n_clients);
                self.crowd.leave(rest..self.n_clients);
                self.until_complete(rest).await
            }
            Fault::Kill => {
                self.site.close(node);
                self.site.recorder.node_ends(node);
                self.cluster.kill(node)?;
                Ok(now)
            }
            Fault::Stop => {
                let stopped = self.cluster.stop(node)?;
                sleep(self.pause).await;
                drop(stopped);
                Ok(Instant::now())
            }
            Fault::Restart => {
                self.cluster.broker.restart(BROKER_AWAY).await?;
                Ok(Instant::now())
            }
            Fault::Wipe => {
                self.cluster.broker.wipe().await?;
                Ok(now)
            }
            Fault::Cut => {
                let link = self.cluster.link(node).context("its link is not ours")?;
                let mended = Mended(link);
                link.cut();
                sleep(self.pause).await;
                drop(mended);
                Ok(Instant::now())
            }
            Fault::Rolling => self.roll().await,
        }
    }

    /// Makes the cluster whole again after the run.
    ///
    /// # Errors
    ///
    /// If the node does not come back.
    pub(super) async fn repair(&mut self, fault: Fault, node: usize) -> anyhow::Result<()> {
        match fault {
            Fault::Kill if self.cluster.is_own() => {
                self.cluster.start_again(node).await?;
                self.site.open(node);
            }
            Fault::Kill
            | Fault::Join
            | Fault::Leave
            | Fault::Stop
            | Fault::Restart
            | Fault::Wipe
            | Fault::Cut
            | Fault::Rolling => {}
        }
        Ok(())
    }

    /// One node after the other, each when the clients of the one before are all back.
    async fn roll(&mut self) -> anyhow::Result<Instant> {
        for node in self.site.up() {
            self.site.close(node);
            self.site.recorder.node_ends(node);
            self.cluster.end(node).await;
            self.cluster.start_again(node).await?;
            self.site.open(node);
            self.until_complete(self.n_clients).await?;
        }
        Ok(Instant::now())
    }

    /// Waits until so many clients are there; returns when the last one was.
    async fn until_complete(&self, n_clients: usize) -> anyhow::Result<Instant> {
        let is_complete = |scene: &_| Crowd::is_complete(scene, n_clients);
        if self
            .site
            .recorder
            .until(COME_PATIENCE, is_complete)
            .await
            .is_err()
        {
            let scene = self.site.recorder.scene();
            let joined = scene
                .clients()
                .filter(|(_, seen)| matches!(seen.place, Place::Joined(_)));
            bail!(
                "{} of {n_clients} clients are connected after {} s",
                joined.count(),
                COME_PATIENCE.as_secs()
            );
        }
        Ok(Instant::now())
    }
}

/// The clients that come or leave at once.
pub(super) fn tenth(n_clients: usize) -> usize {
    n_clients.div_ceil(10)
}

/// A link that is whole again when this is dropped.
struct Mended<'a>(&'a Proxy);

impl Drop for Mended<'_> {
    fn drop(&mut self) {
        self.0.mend();
    }
}

const BROKER_AWAY: Duration = Duration::from_secs(2);
const COME_PATIENCE: Duration = Duration::from_secs(60);

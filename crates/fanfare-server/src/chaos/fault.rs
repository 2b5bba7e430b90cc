//! What is done to the cluster, and from when the count could be right again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::time::{sleep, sleep_until};

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
                self.crowd
                    .join(self.n_clients..self.n_clients + tenth(self.n_clients));
                self.until_complete().await
            }
            Fault::Leave => {
                self.crowd
                    .leave(self.n_clients - tenth(self.n_clients)..self.n_clients);
                self.until_complete().await
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
                self.cluster.broker.kill()?;
                self.while_away().await?;
                self.cluster.broker.start_again().await?;
                Ok(Instant::now())
            }
            Fault::Wipe => {
                self.come_and_go();
                self.cluster.broker.wipe().await?;
                self.until_complete().await
            }
            Fault::Failover => self.fail_over().await,
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
            Fault::Failover => self.cluster.broker.attach().await?,
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

    /// Some leave, and more come, so that whoever goes on showing the number from before is wrong.
    fn come_and_go(&self) {
        let tenth = tenth(self.n_clients);
        self.crowd.leave(self.n_clients - tenth..self.n_clients);
        self.crowd
            .join(self.n_clients..self.n_clients + COMING_TENTHS * tenth);
    }

    /// The same while there is no broker; returns when it is time for one.
    async fn while_away(&self) -> anyhow::Result<()> {
        let back_at = Instant::now() + BROKER_AWAY;
        self.come_and_go();
        self.until_complete().await?;
        sleep_until(back_at.into()).await;
        Ok(())
    }

    /// The standby hears nothing more; what happens then it does not know when it takes the broker's place.
    async fn fail_over(&mut self) -> anyhow::Result<Instant> {
        self.cluster.broker.detach().await?;
        let fails_at = Instant::now() + STALE;
        self.come_and_go();
        self.until_complete().await?;
        sleep_until(fails_at.into()).await;
        self.cluster.broker.kill()?;
        sleep(BROKER_AWAY).await;
        self.cluster.fail_over()?;
        Ok(Instant::now())
    }

    /// One node after the other, each when the clients of the one before are all back.
    async fn roll(&mut self) -> anyhow::Result<Instant> {
        for node in self.site.up() {
            self.site.close(node);
            self.site.recorder.node_ends(node);
            self.cluster.end(node).await;
            self.cluster.start_again(node).await?;
            self.site.open(node);
            self.until_complete().await?;
        }
        Ok(Instant::now())
    }

    /// Waits until everyone is there who is to be, and nobody else; returns when that came true.
    async fn until_complete(&self) -> anyhow::Result<Instant> {
        let is_complete = |scene: &_| self.crowd.is_complete(scene);
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
                "{} clients are connected after {} s where there should be {}",
                joined.count(),
                COME_PATIENCE.as_secs(),
                self.crowd.n_wanted()
            );
        }
        Ok(Instant::now())
    }
}

/// How many clients there are at most.
pub(super) fn n_places(n_clients: usize) -> usize {
    n_clients + COMING_TENTHS * tenth(n_clients)
}

/// The clients that come or leave at once.
fn tenth(n_clients: usize) -> usize {
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
/// How old what the standby knows is when the broker dies.
const STALE: Duration = Duration::from_secs(2);
/// Where people come and go, so many come for each who leaves: not as many, or the number would be what it was.
const COMING_TENTHS: usize = 2;
const COME_PATIENCE: Duration = Duration::from_secs(60);

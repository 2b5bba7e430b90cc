//! `fanfare chaos`: how soon is the user count of a cluster right again after a fault?
//!
//! ```text
//! cluster: broker, nodes, links    crowd: clients -> recorder -> record -> verdict, trace -> report, page
//!        ^------------------- fault --------------^
//! ```

mod args;
mod broker;
mod cluster;
mod crowd;
mod fault;
mod node;
mod page;
mod plot;
mod ports;
mod process;
mod proxy;
mod recorder;
mod report;
mod scene;
mod trace;
mod verdict;

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};

pub(crate) use args::{Args, NodeArgs};
pub(crate) use node::serve as serve_node;

use crate::signals::Signals;
use args::Fault;
use cluster::Cluster;
use crowd::{Crowd, Site};
use fault::{Stage, n_places};
use report::{Report, Run};
use scene::{Place, Seen};

/// Breaks the cluster, prints what came of it, and gives the program's exit code: 0 if the count was right again after
/// everything, 1 if it never was after something, 2 if that could not be measured.
pub(crate) async fn run(args: Args) -> ExitCode {
    let mut report = Report::new(&args);
    let measured = tokio::select! {
        measured = measure(&args, &mut report) => measured,
        stopped = interrupted() => stopped,
    };
    // What was measured before something went wrong is not lost.
    let published = publish(&args, &report);
    match measured.and(published) {
        Ok(()) if report.is_right() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(WRONG),
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::from(NOT_MEASURED)
        }
    }
}

/// Being asked to stop: all that was started ends with the future beside this one.
async fn interrupted() -> anyhow::Result<()> {
    Signals::new()?.next().await;
    bail!("stopped before the end; what was started has been ended")
}

async fn measure(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let plan = args.plan()?;
    for file in [&args.json, &args.html].into_iter().flatten() {
        // Known at once rather than after an hour.
        let opened = fs::File::options().create(true).append(true).open(file);
        opened.with_context(|| format!("cannot write {}", file.display()))?;
    }
    let faults: Vec<_> = plan.iter().map(|(fault, _)| *fault).collect();
    say("starting the cluster…");
    let mut trial = Trial::start(args, &faults).await?;
    for (fault, runs) in plan {
        for number in 1..=runs {
            let run = trial.run(fault, number).await?;
            say(&format!(
                "{}, run {number} of {runs}: {}",
                fault.name(),
                run.told()
            ));
            report.runs.push(run);
        }
    }
    Ok(())
}

/// Prints the report and writes its files, if there is anything in it.
fn publish(args: &Args, report: &Report) -> anyhow::Result<()> {
    if report.runs.is_empty() {
        return Ok(());
    }
    // Whoever has read enough may close the pipe.
    let _ = writeln!(io::stdout(), "{}\n\n{}", report.cluster, report.table());
    if let Some(file) = &args.json {
        write(file, &report.json())?;
    }
    if let Some(file) = &args.html {
        write(file, &page::page(report))?;
    }
    Ok(())
}

/// A cluster and its clients, through all runs.
struct Trial<'a> {
    args: &'a Args,
    cluster: Cluster,
    site: Arc<Site>,
    crowd: Crowd,
    /// Whether the count was wrong at the end of the last run.
    is_wrong: bool,
}

impl<'a> Trial<'a> {
    async fn start(args: &'a Args, faults: &[Fault]) -> anyhow::Result<Self> {
        let cluster = Cluster::start(args, faults).await?;
        let n_places = n_places(args.clients.into());
        let site = Site::new(cluster.addresses()?, &args.event, &args.path, n_places);
        let site = Arc::new(site);
        Ok(Self {
            args,
            cluster,
            crowd: Crowd::new(site.clone(), args.seed),
            site,
            is_wrong: false,
        })
    }

    /// One fault, once, on a cluster that is right.
    async fn run(&mut self, fault: Fault, number: usize) -> anyhow::Result<Run> {
        self.settle().await?;
        let (stay, patience) = (self.args.stay, self.args.patience);
        let up = self.site.up();
        let node = up[(number - 1) % up.len()];
        self.site.recorder.begin();
        let mut stage = Stage {
            cluster: &mut self.cluster,
            crowd: &self.crowd,
            site: &self.site,
            n_clients: self.args.clients.into(),
            pause: self.args.pause,
        };
        let from = stage.inject(fault, node).await?;
        let right = self.site.recorder.right_for(stay, patience).await;
        self.is_wrong = right.is_err();
        let record = self.site.recorder.end(from);
        // A cluster whose count stays wrong is started anew anyway.
        if right.is_ok() || !stage.cluster.is_own() {
            stage.repair(fault, node).await?;
        }
        Ok(Run {
            fault,
            number,
            node: fault.is_of_one_node().then_some(node),
            from_s: record.from,
            end_s: record.end,
            verdict: record.verdict(),
            trace: record.trace(),
        })
    }

    /// All clients are there, spread evenly, and have the right number for a while; if need be after a new start.
    async fn settle(&mut self) -> anyhow::Result<()> {
        if !self.is_wrong && self.is_settled().await {
            return Ok(());
        }
        let scene = self.site.recorder.scene();
        if scene.clients().all(|(_, seen)| seen.heard.is_none()) {
            bail!(
                "no client has been told a number with '{}': is the event right?",
                self.args.event
            );
        }
        say("the count stays wrong, so the whole cluster is started anew…");
        self.cluster
            .renew()
            .await
            .context("the count stays wrong")?;
        match self.is_settled().await {
            true => Ok(()),
            false => bail!(
                "the count is wrong even in a cluster that was just started: {}",
                self.wrong()
            ),
        }
    }

    async fn is_settled(&self) -> bool {
        let n_clients = usize::from(self.args.clients);
        let recorder = &self.site.recorder;
        let rest = |scene: &_| Crowd::is_resting(scene);
        if recorder.until(SETTLE_PATIENCE, rest).await.is_err() {
            return false;
        }
        self.crowd.spread(n_clients);
        let complete = |scene: &_| self.crowd.is_complete(scene);
        recorder.until(SETTLE_PATIENCE, complete).await.is_ok()
            && recorder
                .right_for(self.args.settle, SETTLE_PATIENCE)
                .await
                .is_ok()
    }

    /// What is wrong, in words.
    fn wrong(&self) -> String {
        let scene = self.site.recorder.scene();
        let truth = *scene.truth().start();
        let wrong = scene.clients().find_map(|(_, seen)| match seen {
            Seen {
                place: Place::Joined(node),
                heard: Some(heard),
            } if heard != truth => Some((node, heard)),
            Seen { .. } => None,
        });
        match wrong {
            Some((node, heard)) => format!(
                "a client of node {} has heard {heard} where {truth} are connected",
                node + 1
            ),
            None => format!("{truth} of {} clients are connected", self.args.clients),
        }
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn say(line: &str) {
    // A terminal that is gone can't be told.
    let _ = writeln!(io::stderr(), "{line}");
}

const WRONG: u8 = 1;
const NOT_MEASURED: u8 = 2;
const SETTLE_PATIENCE: Duration = Duration::from_secs(30);

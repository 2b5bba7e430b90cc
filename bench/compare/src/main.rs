//! `compare`: servers against one another, under the same load, in one table.
//!
//! Servers take turns within a round, so that whatever else the machine does meanwhile hurts all alike; ratios are
//! taken within a round. `cargo xtask bench` builds everything and runs this.

use std::process::ExitCode;

use clap::Parser;

mod contestant;
mod counts;
mod crowd;
mod interval;
mod machine;
mod measure;
mod metric;
mod micro;
mod page;
mod run;
mod scenario;
mod summary;
mod table;

use contestant::Contestant;
use crowd::Crowd;
use measure::Round;
use run::Bench;
use scenario::Scenario;
use summary::Summary;

/// Measures servers under the same load, and prints a table for each scenario.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Args {
    /// What the clients do; several are measured one after the other
    #[arg(value_enum, required_unless_present_any = ["all", "goals", "counts", "crowd"])]
    scenarios: Vec<Scenario>,
    /// Measure everything, storm and paced with 5,000 clients too
    #[arg(long, conflicts_with_all = ["scenarios", "clients"])]
    all: bool,
    /// Measure only what has a goal, and fanfare only beside what the goal names; 15 rounds unless said otherwise
    #[arg(long, conflicts_with_all = ["scenarios", "all", "peers", "only", "clients"])]
    goals: bool,
    /// Count the server's own instructions instead, under valgrind
    #[arg(long, conflicts_with_all = ["scenarios", "all", "goals", "clients"])]
    counts: bool,
    /// Have one count on so many nodes of a cluster, each with 19,000 clients unless `--clients` says otherwise
    #[arg(long, value_name = "NODES", conflicts_with_all = ["scenarios", "all", "goals", "counts", "write"])]
    crowd: Option<usize>,
    /// Clients in all [default: the scenario's own]
    #[arg(long)]
    clients: Option<usize>,
    /// Times that each server is measured; from 6 on, ratios have an interval [default: 5]
    #[arg(long)]
    rounds: Option<usize>,
    /// Also measure other makers' servers
    #[arg(long)]
    peers: bool,
    /// Only servers whose name contains this; the reference always runs
    #[arg(long)]
    only: Option<String>,
    /// Print tables as they go into docs/performance.md
    #[arg(long)]
    markdown: bool,
    /// Write tables and a plot into docs/, in place of those that are there
    #[arg(long)]
    write: bool,
}

/// A scenario, with so many clients.
#[derive(Clone, Copy, Debug)]
struct Plan {
    scenario: Scenario,
    clients: usize,
}

#[expect(
    clippy::print_stdout,
    reason = "the tables are what this program is for"
)]
fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let machine = machine::describe(run::Pinning::possible());
    if args.counts {
        let table = counts::table(&Bench::new(Scenario::Paced, 0)?)?;
        println!("{}", table.plain());
        if args.write {
            page::write_counts(&table)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(nodes) = args.crowd {
        let clients = args.clients.unwrap_or(CLIENTS_OF_A_NODE);
        let table = crowd::gather(Crowd { nodes, clients }, &run::built()?)?;
        println!("{}\n{machine}", table.markdown());
        return Ok(ExitCode::SUCCESS);
    }
    let mut summary = Summary::default();
    let mut sections = Vec::new();
    let mut has_failed = false;
    for plan in args.plans() {
        let contestants = args.contestants(plan);
        let rounds = measure_all(&args, plan, &contestants)?;
        summary.add(plan, &contestants, &rounds);
        let names: Vec<&str> = contestants.iter().map(|one| one.name).collect();
        let table = measure::table(plan.scenario, &names, &rounds);
        let title = plan.scenario.title(plan.clients, rounds.len());
        let failures = measure::failures(&names, &rounds);
        has_failed |= !failures.is_empty();
        let shown = match args.markdown {
            true => table.markdown(),
            false => table.plain(),
        };
        println!("{title}\n\n{shown}");
        for failure in &failures {
            println!("{failure}");
        }
        sections.push(page::Section {
            plan,
            title,
            table: table.markdown(),
            failures,
        });
    }
    println!("{}\n{machine}", summary.table().plain());
    if args.write {
        page::write(&summary, &sections, &machine)?;
    }
    Ok(match has_failed {
        false => ExitCode::SUCCESS,
        true => ExitCode::FAILURE,
    })
}

#[expect(clippy::print_stderr, reason = "people want to see that it goes on")]
fn measure_all(args: &Args, plan: Plan, contestants: &[Contestant]) -> anyhow::Result<Vec<Round>> {
    let bench = Bench::new(plan.scenario, plan.clients)?;
    let n_rounds = args.rounds(plan.scenario);
    let mut rounds = Vec::new();
    for number in 1..=n_rounds {
        let mut round = Round::default();
        for contestant in contestants {
            let result = bench.run(contestant);
            eprintln!(
                "{} {number}/{n_rounds}  {:<26} {}",
                plan.scenario.name(),
                contestant.name,
                measure::headline(plan.scenario, &result)
            );
            round.results.push(result);
        }
        rounds.push(round);
    }
    Ok(rounds)
}

impl Args {
    fn plans(&self) -> Vec<Plan> {
        if self.all || self.goals {
            let plans = ALL.iter().map(|&(scenario, clients)| Plan {
                scenario,
                clients: clients.unwrap_or(scenario.default_clients()),
            });
            return plans.filter(|plan| self.all || plan.has_goal()).collect();
        }
        let plan = |&scenario: &Scenario| Plan {
            scenario,
            clients: self.clients.unwrap_or(scenario.default_clients()),
        };
        self.scenarios.iter().map(plan).collect()
    }

    fn rounds(&self, scenario: Scenario) -> usize {
        let rounds = self.rounds.unwrap_or(match self.goals {
            true => ROUNDS_OF_GOALS,
            false => ROUNDS,
        });
        rounds.min(scenario.most_rounds())
    }

    /// The reference first, and it and a floor whether they are wanted or not.
    fn contestants(&self, plan: Plan) -> Vec<Contestant> {
        let is_wanted = |contestant: &Contestant| {
            let is_named = self
                .only
                .as_deref()
                .is_none_or(|only| contestant.name.contains(only));
            let is_meant = !self.goals || contestant.is_ours();
            is_named && is_meant && (self.peers || !contestant.is_peer())
        };
        contestant::of(plan.scenario, plan.clients)
            .enumerate()
            .filter(|(place, contestant)| {
                *place == 0 || contestant.is_floor(plan.scenario) || is_wanted(contestant)
            })
            .map(|(_, contestant)| contestant)
            .collect()
    }
}

impl Plan {
    /// A room, compression, TLS and a cluster have none; it is to be known what they cost.
    fn has_goal(self) -> bool {
        self.scenario.goal(self.clients).is_some()
            || !self.scenario.bounds().is_empty()
            || matches!(
                self.scenario,
                Scenario::Rooms | Scenario::Compressed | Scenario::Cluster | Scenario::Tls
            )
    }
}

/// Close to the 20,000 files that a process may often have open.
const CLIENTS_OF_A_NODE: usize = 19_000;
const ROUNDS: usize = 5;
/// With these the interval of 95 % leaves out the three least and the three most.
const ROUNDS_OF_GOALS: usize = 15;

/// What `--all` measures.
const ALL: [(Scenario, Option<usize>); 22] = [
    (Scenario::Paced, None),
    (Scenario::Paced, Some(5_000)),
    (Scenario::Paced, Some(15_000)),
    (Scenario::Pending2, None),
    (Scenario::Pending8, None),
    (Scenario::Burst, None),
    (Scenario::Storm, None),
    (Scenario::Storm, Some(5_000)),
    (Scenario::Count, None),
    (Scenario::Echo, None),
    (Scenario::Churn, None),
    (Scenario::Heartbeat, None),
    (Scenario::Rooms, None),
    (Scenario::Held, None),
    (Scenario::Slow, None),
    (Scenario::Polling, None),
    (Scenario::Workers, None),
    (Scenario::Compressed, None),
    (Scenario::Tls, None),
    (Scenario::Cluster, None),
    (Scenario::Idle, None),
    (Scenario::Memory, None),
];

//! What the parts of the tests stand on, and what becomes of a part whose ground is missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{brokers, foreign};
use crate::args::{Part, Selection};
use crate::checkout::Checkout;
use crate::chromium::{self, Place};
use crate::daemons::Program;
use crate::needs::{self, Missing};
use crate::{cargo, setup, step};

/// Why a part does not run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Obstacle {
    /// The machine lacks something: the part is skipped.
    Missing(String),
    /// A step failed: so has the part.
    Broken(String),
}

impl From<Missing> for Obstacle {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing.to_string())
    }
}

impl From<anyhow::Error> for Obstacle {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(format!("{error:#}"))
    }
}

/// The set-up of everything that the chosen parts need.
#[derive(Debug)]
pub(super) struct Ground {
    /// The npm packages and bundle of the page.
    page: Result<(), Obstacle>,
    /// The npm packages of the conformance tests.
    clients: Result<(), Obstacle>,
    /// The binaries and examples, built as `cargo test` builds them.
    programs: Result<(), Obstacle>,
    /// None if no part asked for it.
    chromium: Option<Result<PathBuf, Missing>>,
    /// The Python of other makers' packages, and the folder of their programs in Rust; none if no part asked.
    foreign: Option<[Result<PathBuf, Obstacle>; 2]>,
    /// The folder of other brokers' programs; none if no part asked.
    brokers: Option<Result<PathBuf, Obstacle>>,
    /// What the room's nodes share, as far as it is missing for the tests in Rust.
    daemons: Vec<(&'static str, Missing)>,
}

impl Ground {
    /// Sets up what is missing; what cannot be set up is remembered, and the rest done.
    pub(super) fn prepare(checkout: &Checkout, selection: &Selection, place: Place) -> Self {
        let mut ground = Self {
            page: npm_step(checkout, || {
                setup::packages(&checkout.web())?;
                setup::page(checkout)
            }),
            clients: Ok(()),
            programs: Ok(()),
            chromium: None,
            foreign: None,
            brokers: None,
            daemons: Vec::new(),
        };
        if selection.takes(Part::Brokers) {
            let python = foreign::python(checkout, place);
            ground.brokers = Some(python.and_then(|python| brokers::fetch(checkout, &python)));
        }
        if selection.takes(Part::Rust) || selection.takes(Part::Conformance) {
            for (name, program) in [("postgresql", Program::Postgres), ("redis", Program::Redis)] {
                let found = program.find("The tests of several nodes need", place);
                ground
                    .daemons
                    .extend(found.err().map(|missing| (name, missing)));
            }
        }
        if selection.takes(Part::Conformance) {
            ground.clients = npm_step(checkout, || setup::packages(&checkout.conformance()));
            ground.programs = step(|| step::run("build", &mut build(checkout)));
            ground.chromium = Some(chromium::find(place));
            ground.foreign = Some([
                foreign::python(checkout, place),
                foreign::programs(checkout, place),
            ]);
        }
        ground
    }

    /// # Errors
    ///
    /// The first thing in the way of `part`.
    pub(super) fn of(&self, part: Part) -> Result<(), Obstacle> {
        match part {
            Part::Rust | Part::Model => Ok(()),
            Part::Web => self.page.clone(),
            Part::Brokers => match &self.brokers {
                Some(Err(why)) => Err(why.clone()),
                Some(Ok(_)) | None => Ok(()),
            },
            Part::Conformance => [&self.page, &self.clients, &self.programs]
                .into_iter()
                .cloned()
                .collect(),
        }
    }

    /// The folder of other brokers' programs.
    ///
    /// # Errors
    ///
    /// If nobody asked for it, or it could not be had.
    pub(super) fn brokers(&self) -> Result<&Path> {
        let found = self.brokers.as_ref().and_then(|found| found.as_ref().ok());
        found.map(PathBuf::as_path).context("there are no brokers")
    }

    /// The browser, if it was asked for and found.
    pub(super) fn chromium(&self) -> Option<&PathBuf> {
        self.chromium.as_ref()?.as_ref().ok()
    }

    /// The Python of other makers' packages, and the folder of their programs in Rust.
    pub(super) fn foreign(&self) -> [Option<&PathBuf>; 2] {
        match &self.foreign {
            Some(foreign) => foreign.each_ref().map(|found| found.as_ref().ok()),
            None => [None, None],
        }
    }

    /// The words in the names of tests that can't run.
    pub(super) fn skipped(&self) -> &'static [&'static str] {
        match self.daemons.is_empty() {
            true => &[],
            false => &TESTS_WITH_DAEMONS,
        }
    }

    /// What is in the way of the tests of several nodes.
    pub(super) fn missing_daemons(&self) -> impl Iterator<Item = (&'static str, Obstacle)> {
        let missing = self.daemons.iter();
        missing.map(|(name, missing)| (*name, Obstacle::from(missing.clone())))
    }

    /// What is in the way of the tests with a browser, and of those of clients in Python and in Rust. They are among the
    /// conformance tests and skip themselves, but only we know the way out.
    pub(super) fn missing_clients(&self) -> Vec<(&'static str, Obstacle)> {
        let mut missing = Vec::new();
        if let Some(Err(why)) = &self.chromium {
            missing.push(("browser", Obstacle::Missing(why.to_string())));
        }
        if let Some(foreign) = &self.foreign {
            for (name, found) in ["python client", "rust client"].into_iter().zip(foreign) {
                missing.extend(found.as_ref().err().map(|why| (name, why.clone())));
            }
        }
        missing
    }
}

fn npm_step(checkout: &Checkout, make: impl FnOnce() -> Result<()>) -> Result<(), Obstacle> {
    let missing = needs::missing_for_packages(checkout);
    if missing.is_empty() {
        return step(make);
    }
    let sentences: Vec<String> = missing.iter().map(Missing::to_string).collect();
    Err(Obstacle::Missing(sentences.join("; ")))
}

fn step(make: impl FnOnce() -> Result<()>) -> Result<(), Obstacle> {
    make().map_err(|error| {
        eprintln!("{error:#}");
        error.into()
    })
}

/// With `--workspace` and the examples cargo chooses the same features as for `cargo test`, and builds nothing twice.
fn build(checkout: &Checkout) -> Command {
    let mut command = cargo::command(checkout);
    command.args(["build", "--workspace", "--bins", "--examples"]);
    command
}

/// In the names of all tests that start PostgreSQL or Redis.
const TESTS_WITH_DAEMONS: [&str; 5] = [
    "postgres::",
    "nodes::",
    "room::tests::",
    "broker::",
    "throttle::shared::",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn level() -> Ground {
        Ground {
            page: Ok(()),
            clients: Ok(()),
            programs: Ok(()),
            chromium: None,
            foreign: None,
            brokers: None,
            daemons: Vec::new(),
        }
    }

    #[test]
    fn tests_of_several_nodes_are_left_out_where_they_can_not_run() {
        let missing = Missing {
            what: "no PostgreSQL".to_owned(),
            how: "on Debian `apt-get install postgresql`",
        };
        let ground = Ground {
            daemons: vec![("postgresql", missing)],
            ..level()
        };
        assert_eq!(ground.of(Part::Rust), Ok(()));
        assert!(ground.skipped().contains(&"postgres::"));
        assert_eq!(ground.missing_daemons().count(), 1);
        assert_eq!(level().skipped(), [""; 0]);
    }

    #[test]
    fn the_page_does_not_hold_up_rust() {
        let why = Obstacle::Missing("no npm in PATH".to_owned());
        let ground = Ground {
            page: Err(why.clone()),
            ..level()
        };
        assert_eq!(ground.of(Part::Rust), Ok(()));
        assert_eq!(ground.of(Part::Web), Err(why.clone()));
        assert_eq!(ground.of(Part::Conformance), Err(why));
    }

    #[test]
    fn without_a_browser_the_way_to_one_is_told() {
        let missing = Missing {
            what: "no Chromium in PATH".to_owned(),
            how: "on Debian `apt-get install chromium`",
        };
        let ground = Ground {
            chromium: Some(Err(missing)),
            ..level()
        };
        let told = "no Chromium in PATH: on Debian `apt-get install chromium`";
        assert_eq!(
            ground.missing_clients(),
            [("browser", Obstacle::Missing(told.to_owned()))]
        );
        assert_eq!(ground.of(Part::Conformance), Ok(()));
    }

    #[test]
    fn a_browser_that_nobody_asked_for_is_not_missed() {
        assert_eq!(level().missing_clients(), []);
    }
}

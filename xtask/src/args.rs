//! The words after `cargo xtask`.

use std::net::SocketAddr;
use std::{error, fmt};

use crate::cluster::Plan;

/// What to do.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Task {
    Help,
    Serve(Program),
    Cluster(Plan),
    Test(Selection),
    Tidy,
    /// The words are the bench's own.
    Bench(Vec<String>),
}

/// What `serve` runs.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Program {
    /// The binary `fanfare`, with the arguments for its `serve`.
    Fanfare(Vec<String>),
    /// The example `lesson`, which is told its port by `PORT`.
    Lesson { port: Option<u16> },
}

/// Which tests to run.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Selection {
    /// Only these parts; all of them if empty.
    pub(crate) parts: Vec<Part>,
    /// Only tests whose name contains one of these; all of them if empty.
    pub(crate) names: Vec<String>,
    /// What becomes of the table of clients in docs/compatibility.md.
    pub(crate) table: Table,
}

/// What becomes of the table that the conformance tests prove, once all of them have passed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Table {
    /// The page has to have it.
    #[default]
    Compare,
    /// The page gets it.
    Write,
}

impl Selection {
    /// Whether `part` is to run. A part that is run as a whole can be chosen only by its own name.
    pub(crate) fn takes(&self, part: Part) -> bool {
        if self.parts.is_empty() {
            self.names.is_empty() || !matches!(part, Part::Model | Part::Web | Part::Brokers)
        } else {
            self.parts.contains(&part)
        }
    }
}

/// A runner of tests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// `cargo test`.
    Rust,
    /// The library's way out, its threads in many orders: `cargo test` with locks of a model.
    Model,
    /// The page's own checks, `npm run check`.
    Web,
    /// The cluster's tests with Valkey, and with an old Redis.
    Brokers,
    /// Real clients and a real browser against the built programs.
    Conformance,
}

impl Part {
    pub(crate) const ALL: [Self; 5] = [
        Self::Rust,
        Self::Model,
        Self::Web,
        Self::Brokers,
        Self::Conformance,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Model => "model",
            Self::Web => "web",
            Self::Brokers => "brokers",
            Self::Conformance => "conformance",
        }
    }
}

/// The words make no task; says which word, and what would.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for Usage {}

/// Reads the words after `cargo xtask`.
///
/// # Errors
///
/// [`Usage`] names the word that is wrong.
pub(crate) fn parse(words: &[String]) -> Result<Task, Usage> {
    let Some((command, rest)) = words.split_first() else {
        return Ok(Task::Help);
    };
    match command.as_str() {
        "help" | "--help" | "-h" => Ok(Task::Help),
        "serve" => parse_serve(rest).map(Task::Serve),
        "cluster" => parse_cluster(rest).map(Task::Cluster),
        "test" => parse_test(rest).map(Task::Test),
        "tidy" => match rest.first() {
            None => Ok(Task::Tidy),
            Some(word) => Err(Usage(format!("tidy takes nothing; it was given '{word}'"))),
        },
        "bench" => Ok(Task::Bench(rest.to_vec())),
        _ => Err(Usage(format!(
            "'{command}' is no task; there are serve, cluster, test, tidy and bench"
        ))),
    }
}

fn parse_serve(words: &[String]) -> Result<Program, Usage> {
    if !words.iter().any(|word| word == "--lesson") {
        return Ok(Program::Fanfare(words.to_vec()));
    }
    let mut port = None;
    let mut words = words.iter().filter(|word| *word != "--lesson");
    while let Some(word) = words.next() {
        let address = match word.strip_prefix("--listen") {
            Some("") => words.next().map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        let Some(address) = address else {
            return Err(Usage(format!(
                "serve --lesson takes only --listen 127.0.0.1:PORT; it was given '{word}'"
            )));
        };
        port = Some(lesson_port(address)?);
    }
    Ok(Program::Lesson { port })
}

fn parse_cluster(words: &[String]) -> Result<Plan, Usage> {
    let mut plan = Plan {
        listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
        nodes: 3,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (&**word, words.next().map(String::as_str)),
        };
        let value = value.unwrap_or_default();
        let read = match name {
            "--listen" => value.parse().ok().map(|listen| plan.listen = listen),
            "--nodes" => value
                .parse()
                .ok()
                .filter(|nodes| (1..=9).contains(nodes))
                .map(|nodes| plan.nodes = nodes),
            _ => None,
        };
        read.ok_or_else(|| {
            Usage(format!(
                "cluster takes --listen 127.0.0.1:PORT and --nodes 1 to 9; it was given '{word}' '{value}'"
            ))
        })?;
    }
    Ok(plan)
}

fn lesson_port(address: &str) -> Result<u16, Usage> {
    address
        .rsplit_once(':')
        .filter(|(host, _)| matches!(*host, "127.0.0.1" | "localhost"))
        .and_then(|(_, port)| port.parse().ok())
        .ok_or_else(|| {
            Usage(format!(
                "the lesson listens on 127.0.0.1 only: '{address}' is not 127.0.0.1:PORT"
            ))
        })
}

fn parse_test(words: &[String]) -> Result<Selection, Usage> {
    let mut selection = Selection::default();
    for word in words {
        if word == "--write-table" {
            selection.table = Table::Write;
            continue;
        }
        if word.starts_with('-') {
            return Err(Usage(format!(
                "test takes names of tests and --write-table; it was given '{word}'"
            )));
        }
        match Part::ALL.into_iter().find(|part| part.name() == word) {
            Some(part) => selection.parts.push(part),
            None => selection.names.push(word.clone()),
        }
    }
    if selection.table == Table::Write && !selection.names.is_empty() {
        return Err(Usage(
            "--write-table needs every test of conformance; tests were chosen by name".to_owned(),
        ));
    }
    Ok(selection)
}

/// What `cargo xtask help` prints.
pub(crate) const HELP: &str = "\
cargo xtask serve [ARGS…]      set up what is missing, then run `fanfare serve ARGS…`
cargo xtask serve --lesson [--listen 127.0.0.1:PORT]
                               the same for the lesson's own program
cargo xtask cluster [--listen 127.0.0.1:PORT] [--nodes N]
                               the same on several nodes, with PostgreSQL, Redis and haproxy of Debian's
cargo xtask test [WORD…]       set up what is missing, then run every test;
                               rust, model, web, brokers and conformance choose a part, any other word tests by name
cargo xtask test conformance --write-table
                               the same, then write the table of clients that they prove into docs/compatibility.md
cargo xtask tidy               the rules about files that no other tool checks
cargo xtask bench [ARGS…]      the measurements of docs/performance.md";

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[track_caller]
    fn check(line: &str, expected: Task) {
        assert_eq!(parse(&words(line)), Ok(expected), "parsing {line:?}");
    }

    #[track_caller]
    fn check_refused(line: &str, named: &str) {
        let Usage(sentence) = parse(&words(line)).expect_err(line);
        assert!(sentence.contains(named), "{sentence:?} names {named:?}");
    }

    #[test]
    fn everything_after_serve_goes_to_the_program() {
        check("serve", Task::Serve(Program::Fanfare(vec![])));
        check(
            "serve --listen 127.0.0.1:3001",
            Task::Serve(Program::Fanfare(words("--listen 127.0.0.1:3001"))),
        );
    }

    #[test]
    fn the_lesson_is_told_its_port_alone() {
        check(
            "serve --lesson",
            Task::Serve(Program::Lesson { port: None }),
        );
        let at_3005 = || Task::Serve(Program::Lesson { port: Some(3005) });
        check("serve --lesson --listen 127.0.0.1:3005", at_3005());
        check("serve --listen=localhost:3005 --lesson", at_3005());
    }

    #[test]
    fn the_lesson_refuses_what_it_could_not_keep() {
        check_refused("serve --lesson --listen 0.0.0.0:3000", "'0.0.0.0:3000'");
        check_refused(
            "serve --lesson --listen 127.0.0.1:70000",
            "'127.0.0.1:70000'",
        );
        check_refused("serve --lesson --listen", "'--listen'");
        check_refused("serve --lesson --redis x", "'--redis'");
    }

    #[test]
    fn a_cluster_has_three_nodes_and_one_address() {
        let plan = |port, nodes| {
            let listen = SocketAddr::from(([127, 0, 0, 1], port));
            Task::Cluster(Plan { listen, nodes })
        };
        check("cluster", plan(3000, 3));
        check("cluster --nodes 2 --listen=127.0.0.1:4000", plan(4000, 2));
        check_refused("cluster --nodes 0", "'0'");
        check_refused("cluster --nodes", "'--nodes'");
        check_refused("cluster --listen 3000", "'3000'");
        check_refused("cluster up", "'up'");
    }

    #[test]
    fn words_after_test_are_parts_or_names() {
        check("test", Task::Test(Selection::default()));
        check(
            "test conformance reconnect",
            Task::Test(Selection {
                parts: vec![Part::Conformance],
                names: words("reconnect"),
                table: Table::Compare,
            }),
        );
        check_refused("test --nocapture", "'--nocapture'");
    }

    #[test]
    fn the_table_is_written_by_a_run_of_everything_only() {
        check(
            "test conformance --write-table",
            Task::Test(Selection {
                parts: vec![Part::Conformance],
                table: Table::Write,
                ..Selection::default()
            }),
        );
        check_refused("test reconnect --write-table", "by name");
    }

    #[test]
    fn a_name_leaves_out_the_parts_that_are_run_as_a_whole() {
        let by_name = Selection {
            names: words("count"),
            ..Selection::default()
        };
        assert!(by_name.takes(Part::Rust) && by_name.takes(Part::Conformance));
        assert!(!by_name.takes(Part::Web) && !by_name.takes(Part::Model));
        assert!(Selection::default().takes(Part::Web));
    }

    #[test]
    fn a_wrong_word_is_named() {
        check_refused("sevre", "'sevre'");
        check_refused("tidy up", "'up'");
    }

    #[test]
    fn the_bench_reads_its_own_words() {
        check(
            "bench storm --clients 5",
            Task::Bench(words("storm --clients 5")),
        );
        check("", Task::Help);
    }
}

//! Who is measured.

use crate::scenario::{NOBODY_SLOW, Scenario};

/// A server that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contestant {
    /// As it stands in the table.
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) leaving: Leaving,
    /// Where it runs, if servers are pinned.
    pub(crate) cpus: &'static str,
    pub(crate) environment: Option<(&'static str, &'static str)>,
    /// What the generator does with it instead of the scenario's own.
    pub(crate) words: Option<&'static [&'static str]>,
    pub(crate) setting: Setting,
    /// How many clients it has instead of the scenario's own.
    pub(crate) clients: Option<usize>,
}

/// What is run; all are told their port by `PORT`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// A program that cargo built, by its path beside this one, and its arguments.
    Built(&'static str, &'static [&'static str]),
    /// A script of `bench/peers`.
    Node(&'static str),
    /// The same, run by Bun, and its arguments.
    Bun(&'static str, &'static [&'static str]),
    /// `bench/oxide`, and its arguments.
    Oxide(&'static [&'static str]),
}

/// What is around a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Setting {
    Alone,
    /// It is reached over TLS, with a certificate that it leaves in a file.
    OverTls,
    /// There is a Redis, by which it would reach other servers.
    InCluster,
}

/// Whether a server's count comes down again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Leaving {
    Counted,
    NotCounted,
}

impl Contestant {
    const fn new(name: &'static str, program: Program) -> Self {
        Self {
            name,
            program,
            leaving: Leaving::Counted,
            cpus: "0",
            environment: None,
            words: None,
            setting: Setting::Alone,
            clients: None,
        }
    }

    pub(crate) fn is_peer(&self) -> bool {
        !matches!(self.program, Program::Built(..))
    }

    /// Whether it is what the summary is about.
    pub(crate) fn is_ours(&self) -> bool {
        self.name.starts_with("fanfare")
    }

    /// Whether it shows how much less there can be at all, where fanfare is held against something else.
    pub(crate) fn is_floor(&self, scenario: Scenario) -> bool {
        let gathers = matches!(scenario, Scenario::Pending2 | Scenario::Pending8);
        gathers && self.name == RAW_GATHER.name
    }

    /// Whether a storm of N joins makes it do N² sends.
    fn sends_one_by_one(&self) -> bool {
        matches!(self.program, Program::Node(_) | Program::Bun(..)) || self.name == RAW_WRITE.name
    }
}

/// Those who take part in `scenario`, the reference first.
pub(crate) fn of(scenario: Scenario, clients: usize) -> impl Iterator<Item = Contestant> {
    let all = match scenario {
        Scenario::Storm => [
            RAW_GATHER_LESSON,
            RAW_WRITE_LESSON,
            LESSON,
            OXIDE_LESSON,
            NODE_LESSON,
            BUN_LESSON,
        ]
        .as_slice(),
        Scenario::Count => &[RAW_GATHER_LESSON, COUNT],
        Scenario::Paced | Scenario::Pending2 | Scenario::Pending8 => &[
            RAW_WRITE, SAY, RAW_GATHER, WS_SAY, BUN_SAY, OXIDE_SAY, NODE_SAY,
        ],
        Scenario::Burst => &[
            RAW_GATHER, SAY, RAW_WRITE, WS_SAY, BUN_SAY, OXIDE_SAY, NODE_SAY,
        ],
        Scenario::Rooms => &[SAY_TO_ALL, SAY, SAY_FEW, OXIDE_SAY, NODE_SAY],
        Scenario::Echo | Scenario::Churn | Scenario::Heartbeat => {
            &[RAW_WRITE, SAY, WS_SAY, BUN_SAY, OXIDE_SAY, NODE_SAY]
        }
        Scenario::Held => &[RAW_WRITE, SAY],
        Scenario::Memory => &[SAY],
        Scenario::Compressed => &[SAY, SAY_COMPRESSED],
        Scenario::Tls => &[SAY, SAY_OVER_TLS],
        Scenario::Cluster => &[SAY, SAY_IN_CLUSTER],
        Scenario::Slow => &[SAY_NOBODY_SLOW, SAY],
        Scenario::Polling => &[NODE_SAY, SAY, OXIDE_SAY],
        Scenario::Workers => &[SAY_ONE_WORKER, SAY_TWO_WORKERS],
        Scenario::Idle => &[RAW_WRITE, SAY, COUNT, WS_SAY, BUN_SAY, OXIDE_SAY, NODE_SAY],
    };
    all.iter().copied().filter(move |contestant| {
        !matches!(scenario, Scenario::Storm | Scenario::Count)
            || clients <= MAX_CLIENTS_ONE_BY_ONE
            || !contestant.sends_one_by_one()
    })
}

const RAW_WRITE: Contestant = Contestant::new(
    "raw loop, a send each",
    Program::Built("rawcast", &["--sending", "write", "--play", "say"]),
);
const RAW_GATHER: Contestant = Contestant::new(
    "raw loop, gathering",
    Program::Built("rawcast", &["--sending", "gather", "--play", "say"]),
);
const RAW_WRITE_LESSON: Contestant = Contestant {
    program: Program::Built("rawcast", &["--sending", "write", "--play", "lesson"]),
    ..RAW_WRITE
};
const RAW_GATHER_LESSON: Contestant = Contestant {
    program: Program::Built("rawcast", &["--sending", "gather", "--play", "lesson"]),
    ..RAW_GATHER
};
const LESSON: Contestant = Contestant {
    leaving: Leaving::NotCounted,
    ..Contestant::new("fanfare, lesson", Program::Built("examples/lesson", &[]))
};
const COUNT: Contestant = Contestant::new(
    "fanfare, announce_count",
    Program::Built("examples/count", &[]),
);
const SAY: Contestant = Contestant::new("fanfare", Program::Built("say", &[]));
/// What ten deliveries cost where nobody has to be found.
const SAY_TO_ALL: Contestant = Contestant {
    name: "fanfare, to all",
    words: Some(&["paced"]),
    ..SAY
};
/// As many clients as two rooms have.
const SAY_FEW: Contestant = Contestant {
    name: "fanfare, 20 clients in all",
    clients: Some(20),
    ..SAY
};
const SAY_NOBODY_SLOW: Contestant = Contestant {
    name: "fanfare, nobody slow",
    words: Some(NOBODY_SLOW),
    ..SAY
};
/// Only events of a kilobyte and more, as Node does it.
const SAY_COMPRESSED: Contestant = Contestant {
    name: "fanfare, compressed",
    environment: Some(("COMPRESSION", "1024")),
    words: Some(&["paced", "--bytes", "8192", "--compression"]),
    ..SAY
};
const SAY_OVER_TLS: Contestant = Contestant {
    name: "fanfare over TLS",
    setting: Setting::OverTls,
    ..SAY
};
const SAY_IN_CLUSTER: Contestant = Contestant {
    name: "fanfare in a cluster",
    setting: Setting::InCluster,
    ..SAY
};
const SAY_ONE_WORKER: Contestant = Contestant {
    name: "fanfare, one worker",
    environment: Some(("TOKIO_WORKER_THREADS", "1")),
    cpus: "0,1",
    ..SAY
};
const SAY_TWO_WORKERS: Contestant = Contestant {
    name: "fanfare, two workers",
    environment: Some(("TOKIO_WORKER_THREADS", "2")),
    ..SAY_ONE_WORKER
};
const NODE_LESSON: Contestant =
    Contestant::new("socket.io on Node, lesson", Program::Node("lesson.js"));
const NODE_SAY: Contestant = Contestant::new("socket.io on Node", Program::Node("say.js"));
const WS_SAY: Contestant = Contestant::new("bare ws on Node", Program::Node("ws.js"));
const BUN_SAY: Contestant = Contestant::new("socket.io on Bun", Program::Bun("bun.js", &[]));
const BUN_LESSON: Contestant = Contestant::new(
    "socket.io on Bun, lesson",
    Program::Bun("bun.js", &["lesson"]),
);
const OXIDE_SAY: Contestant = Contestant::new("socketioxide", Program::Oxide(&["say"]));
const OXIDE_LESSON: Contestant =
    Contestant::new("socketioxide, lesson", Program::Oxide(&["lesson"]));

/// Beyond this, a server that sends each of N joins to each of N clients apart takes minutes.
const MAX_CLIENTS_ONE_BY_ONE: usize = 2_000;

//! Who is measured.

use crate::Scenario;

/// A server that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contestant {
    /// As it stands in the table.
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) leaving: Leaving,
}

/// What is run; all are told their port by `PORT`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// A program that cargo built, by its path beside this one, and its arguments.
    Built(&'static str, &'static [&'static str]),
    /// A script of `bench/peers`.
    Node(&'static str),
}

/// Whether a server's count comes down again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Leaving {
    Counted,
    NotCounted,
}

impl Contestant {
    pub(crate) fn is_peer(&self) -> bool {
        match self.program {
            Program::Built(..) => false,
            Program::Node(_) => true,
        }
    }

    /// Whether `only` leaves it in; the raw loops are what all others are measured against.
    pub(crate) fn is_wanted(&self, only: Option<&str>) -> bool {
        self.is_raw() || only.is_none_or(|only| self.name.contains(only))
    }

    /// Whether a storm of N joins makes it do N² sends.
    fn sends_one_by_one(&self) -> bool {
        self.is_peer() || self.name == RAW_WRITE.name
    }

    fn is_raw(&self) -> bool {
        matches!(self.program, Program::Built("rawcast", _))
    }
}

/// Those who take part in `scenario`, the reference first.
pub(crate) fn of(scenario: Scenario, clients: usize) -> impl Iterator<Item = Contestant> {
    let all = match scenario {
        Scenario::Storm => [
            RAW_GATHER_LESSON,
            RAW_WRITE_LESSON,
            LESSON,
            COUNT,
            NODE_LESSON,
        ]
        .as_slice(),
        Scenario::Paced => &[RAW_WRITE, RAW_GATHER, SAY, NODE_SAY],
        Scenario::Burst => &[RAW_GATHER, RAW_WRITE, SAY, NODE_SAY],
        Scenario::Idle => &[RAW_WRITE, SAY, COUNT, NODE_SAY],
    };
    all.iter().copied().filter(move |contestant| {
        scenario != Scenario::Storm
            || clients <= MAX_CLIENTS_ONE_BY_ONE
            || !contestant.sends_one_by_one()
    })
}

const RAW_WRITE: Contestant = Contestant {
    name: "raw loop, a send each",
    program: Program::Built("rawcast", &["--sending", "write", "--play", "say"]),
    leaving: Leaving::Counted,
};
const RAW_GATHER: Contestant = Contestant {
    name: "raw loop, gathering",
    program: Program::Built("rawcast", &["--sending", "gather", "--play", "say"]),
    leaving: Leaving::Counted,
};
const RAW_WRITE_LESSON: Contestant = Contestant {
    program: Program::Built("rawcast", &["--sending", "write", "--play", "lesson"]),
    ..RAW_WRITE
};
const RAW_GATHER_LESSON: Contestant = Contestant {
    program: Program::Built("rawcast", &["--sending", "gather", "--play", "lesson"]),
    ..RAW_GATHER
};
const LESSON: Contestant = Contestant {
    name: "fanfare, lesson",
    program: Program::Built("examples/lesson", &[]),
    leaving: Leaving::NotCounted,
};
const COUNT: Contestant = Contestant {
    name: "fanfare, announce_count",
    program: Program::Built("examples/count", &[]),
    leaving: Leaving::Counted,
};
const SAY: Contestant = Contestant {
    name: "fanfare",
    program: Program::Built("say", &[]),
    leaving: Leaving::Counted,
};
const NODE_LESSON: Contestant = Contestant {
    name: "socket.io on Node, lesson",
    program: Program::Node("lesson.js"),
    leaving: Leaving::Counted,
};
const NODE_SAY: Contestant = Contestant {
    name: "socket.io on Node",
    program: Program::Node("say.js"),
    leaving: Leaving::Counted,
};

/// Beyond this, a server that sends each of N joins to each of N clients apart takes minutes.
const MAX_CLIENTS_ONE_BY_ONE: usize = 2_000;

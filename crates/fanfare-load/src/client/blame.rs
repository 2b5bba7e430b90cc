//! What is said of a client with which something went wrong: which it is, and how far it had come.

use std::io;

use super::{Client, Stage};
use crate::error::LoadError;
use crate::site::Site;

impl Client {
    pub(super) fn unconnected(&self, site: &Site, source: io::Error) -> LoadError {
        if source.kind() == io::ErrorKind::ConnectionRefused {
            let address = site.address();
            return LoadError::NotThere { address };
        }
        self.failed(source)
    }

    pub(super) fn failed(&self, source: io::Error) -> LoadError {
        LoadError::Connection {
            client: self.id,
            stage: self.stage.name(),
            source,
        }
    }

    pub(super) fn closed(&self) -> LoadError {
        match self.stage {
            Stage::Switching | Stage::Opening => {
                self.not_opened("the end of the connection".to_owned())
            }
            stage => LoadError::Closed {
                client: self.id,
                stage: stage.name(),
            },
        }
    }

    pub(super) fn not_opened(&self, answer: String) -> LoadError {
        let stage = self.stage.name();
        match self.stage {
            Stage::Connecting | Stage::Switching | Stage::Opening => LoadError::NotOpened {
                client: self.id,
                stage,
                answer,
            },
            Stage::Opened
            | Stage::Joining
            | Stage::Moving
            | Stage::Joined
            | Stage::Lagging
            | Stage::Leaving => self.wrong(format!("was answered with '{answer}' while {stage}")),
        }
    }

    pub(super) fn unexpected(&self, bytes: &[u8]) -> LoadError {
        self.wrong(format!(
            "was sent {} while {}",
            first_line(bytes),
            self.stage.name()
        ))
    }

    pub(super) fn wrong(&self, what: String) -> LoadError {
        LoadError::Wrong {
            client: self.id,
            what,
        }
    }
}

/// What a person can make of bytes that should not have come.
pub(crate) fn first_line(bytes: &[u8]) -> String {
    let line = bytes
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(&line[..line.len().min(SHOWN_BYTES)]).into_owned()
}

const SHOWN_BYTES: usize = 120;

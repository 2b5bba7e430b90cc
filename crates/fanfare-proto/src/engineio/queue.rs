//! What a machine still has to tell its driver.

use std::collections::VecDeque;

/// What a machine still has to tell its driver, in order. One output needs no heap, and none keeps any.
#[derive(Debug)]
pub(super) enum Queue<T> {
    Empty,
    One(T),
    Many(VecDeque<T>),
}

impl<T> Queue<T> {
    pub(super) fn push(&mut self, output: T) {
        *self = match std::mem::replace(self, Self::Empty) {
            Self::Empty => Self::One(output),
            Self::One(first) => Self::Many(VecDeque::from([first, output])),
            Self::Many(mut all) => {
                all.push_back(output);
                Self::Many(all)
            }
        };
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        match std::mem::replace(self, Self::Empty) {
            Self::Empty => None,
            Self::One(output) => Some(output),
            Self::Many(mut all) => {
                let output = all.pop_front();
                if !all.is_empty() {
                    *self = Self::Many(all);
                }
                output
            }
        }
    }
}

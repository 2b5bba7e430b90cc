//! History: how many were here over the last minutes. Plain data: no clock, no lock.

use std::collections::VecDeque;

use serde::{Serialize, Serializer, ser::SerializeSeq as _};

/// The count as it was, a point at most for each second.
#[derive(Debug, Default)]
pub(crate) struct History {
    points: VecDeque<(i64, u64)>,
}

impl History {
    /// The count is `n` from `at` on, in milliseconds since 1970.
    pub(crate) fn push(&mut self, at: i64, n: u64) {
        match self.points.back_mut() {
            // Of a second the last point counts.
            Some(last) if at / RESOLUTION_MS <= last.0 / RESOLUTION_MS => last.1 = n,
            _ => self.points.push_back((at, n)),
        }
        // The first point says what the count was when the time shown begins.
        while 2 <= self.points.len() && self.points[1].0 <= at - SPAN_MS {
            self.points.pop_front();
        }
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut points = serializer.serialize_seq(Some(self.points.len()))?;
        for point in &self.points {
            points.serialize_element(point)?;
        }
        points.end()
    }
}

const RESOLUTION_MS: i64 = 1_000;
const SPAN_MS: i64 = 10 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn json(history: &History) -> String {
        serde_json::to_string(history).unwrap()
    }

    #[test]
    fn of_each_second_the_last_value_stays() {
        let mut history = History::default();
        for (at, n) in [(1_000, 1), (1_200, 2), (1_999, 3), (2_000, 4), (5_500, 5)] {
            history.push(at, n);
        }
        assert_eq!(json(&history), "[[1000,3],[2000,4],[5500,5]]");
        // A clock that was set back.
        history.push(3_000, 6);
        assert_eq!(json(&history), "[[1000,3],[2000,4],[5500,6]]");
    }

    #[test]
    fn the_first_point_is_the_count_when_the_span_begins() {
        let mut history = History::default();
        history.push(0, 7);
        history.push(SPAN_MS + 5_000, 8);
        assert_eq!(json(&history), "[[0,7],[605000,8]]");
        history.push(2 * SPAN_MS + 5_000, 9);
        assert_eq!(json(&history), "[[605000,8],[1205000,9]]");
    }

    #[test]
    fn it_is_bounded() {
        let mut history = History::default();
        for second in 0..10_000 {
            history.push(second * 1_000, 1);
        }
        assert!(history.points.len() <= 601, "{}", history.points.len());
    }
}

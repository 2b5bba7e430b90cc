//! Ranges: which bytes of a turn's shared buffers one session is to be sent, in order.

use smallvec::SmallVec;

/// Which of a turn's buffers a range lies in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lane {
    /// Broadcasts: most sessions are sent most of it, so their ranges stay adjacent.
    Open,
    /// The same for those who take compressed messages.
    Deflated,
    /// Frames for one session. Kept apart, since one of them between two broadcasts would split
    /// everyone else's range.
    Private,
}

/// One of something for each lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lanes<T> {
    pub(crate) open: T,
    pub(crate) deflated: T,
    pub(crate) private: T,
}

impl<T> Lanes<T> {
    pub(crate) fn get(&self, lane: Lane) -> &T {
        match lane {
            Lane::Open => &self.open,
            Lane::Deflated => &self.deflated,
            Lane::Private => &self.private,
        }
    }

    pub(crate) fn map<U>(self, mut change: impl FnMut(T) -> U) -> Lanes<U> {
        Lanes {
            open: change(self.open),
            deflated: change(self.deflated),
            private: change(self.private),
        }
    }

    pub(crate) fn each_mut(&mut self) -> Lanes<&mut T> {
        Lanes {
            open: &mut self.open,
            deflated: &mut self.deflated,
            private: &mut self.private,
        }
    }

    pub(crate) fn into_array(self) -> [T; 3] {
        [self.open, self.deflated, self.private]
    }
}

/// Names the events of which a receiver keeps only the latest unsent value.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct LatestKey(pub(crate) u32);

/// What is kept of an event for a receiver whose transport does not take it now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keep {
    /// All of it, in order.
    Event,
    /// One unsent value.
    Latest(LatestKey),
    /// Nothing: it is volatile.
    Nothing,
}

/// Whole frames, from `start` to `end` of a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) lane: Lane,
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) keep: Keep,
}

impl Keep {
    pub(crate) fn latest(self) -> Option<LatestKey> {
        match self {
            Self::Latest(key) => Some(key),
            Self::Event | Self::Nothing => None,
        }
    }

    /// Whether a range of the one that another of the other continues may just grow.
    fn merges_with(self, next: Self) -> bool {
        self == next && self.latest().is_none()
    }
}

impl Range {
    /// Whether all of `other` lies in it.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        self.lane == other.lane && self.start <= other.start && other.end <= self.end
    }

    /// Whether the two may be one.
    pub(crate) fn is_continued_by(&self, next: &Self) -> bool {
        self.end == next.start && self.lane == next.lane && self.keep.merges_with(next.keep)
    }

    pub(crate) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }
}

/// What one session is to be sent in this turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges(SmallVec<[Range; 1]>);

impl Ranges {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Range> {
        self.0.iter()
    }

    pub(crate) fn len_bytes(&self) -> usize {
        self.iter().map(Range::len).sum()
    }

    /// Adds `range` behind all others; a range that it continues just grows.
    pub(crate) fn push(&mut self, range: Range) {
        match self.0.last_mut() {
            Some(last) if last.is_continued_by(&range) => last.end = range.end,
            Some(_) | None => self.0.push(range),
        }
    }

    /// Adds the latest value of an event. An older unsent one gives it its place, and is returned.
    pub(crate) fn push_latest(&mut self, range: Range) -> Option<Range> {
        match self.0.iter_mut().find(|older| older.keep == range.keep) {
            Some(older) => Some(std::mem::replace(older, range)),
            None => {
                self.0.push(range);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATEST: Keep = Keep::Latest(LatestKey(1));

    fn range(lane: Lane, start: u32, end: u32, keep: Keep) -> Range {
        Range {
            lane,
            start,
            end,
            keep,
        }
    }

    #[track_caller]
    fn check(ranges: &Ranges, expected: &[(Lane, u32, u32)]) {
        let actual: Vec<_> = ranges.iter().map(|r| (r.lane, r.start, r.end)).collect();
        assert_eq!(actual, expected);
    }

    #[test]
    fn adjacent_ranges_of_one_lane_are_one() {
        let mut ranges = Ranges::default();
        ranges.push(range(Lane::Open, 0, 5, Keep::Event));
        ranges.push(range(Lane::Open, 5, 9, Keep::Event));
        ranges.push(range(Lane::Private, 9, 12, Keep::Event));
        ranges.push(range(Lane::Open, 20, 25, Keep::Event));
        check(
            &ranges,
            &[
                (Lane::Open, 0, 9),
                (Lane::Private, 9, 12),
                (Lane::Open, 20, 25),
            ],
        );
    }

    #[test]
    fn a_latest_value_takes_the_place_of_its_older_one() {
        let mut ranges = Ranges::default();
        ranges.push_latest(range(Lane::Open, 0, 5, LATEST));
        ranges.push(range(Lane::Open, 5, 9, Keep::Event));
        let older = ranges.push_latest(range(Lane::Open, 9, 14, LATEST));
        assert_eq!(older.map(|older| older.start), Some(0));
        check(&ranges, &[(Lane::Open, 9, 14), (Lane::Open, 5, 9)]);
    }

    #[test]
    fn volatile_events_merge_with_each_other_only() {
        let mut ranges = Ranges::default();
        ranges.push(range(Lane::Open, 0, 5, Keep::Event));
        ranges.push(range(Lane::Open, 5, 9, Keep::Nothing));
        ranges.push(range(Lane::Open, 9, 14, Keep::Nothing));
        ranges.push(range(Lane::Open, 14, 20, Keep::Event));
        check(
            &ranges,
            &[
                (Lane::Open, 0, 5),
                (Lane::Open, 5, 14),
                (Lane::Open, 14, 20),
            ],
        );
    }

    #[test]
    fn latest_values_never_merge_with_ordered_events() {
        let mut ranges = Ranges::default();
        ranges.push(range(Lane::Open, 0, 5, Keep::Event));
        ranges.push_latest(range(Lane::Open, 5, 9, LATEST));
        ranges.push(range(Lane::Open, 9, 14, Keep::Event));
        check(
            &ranges,
            &[(Lane::Open, 0, 5), (Lane::Open, 5, 9), (Lane::Open, 9, 14)],
        );
    }
}

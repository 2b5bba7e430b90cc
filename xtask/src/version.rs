//! Versions of Node.js, and the ranges that a package.json asks for.

use std::fmt;

/// Three numbers; what may follow them is not looked at.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Version([u64; 3]);

impl Version {
    /// Reads `v20.19.2`, with or without the letter.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let core = text.split(['-', '+']).next()?;
        let mut numbers = core.split('.').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self([next()?, next()?, next()?]))
    }

    const LOWEST: Self = Self([0, 0, 0]);
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// Versions from `low` on, below `high` if there is one.
#[derive(Clone, Copy, Debug)]
struct Span {
    low: Version,
    high: Option<Version>,
}

impl Span {
    const ALL: Self = Self {
        low: Version::LOWEST,
        high: None,
    };

    /// What `20`, `20.19`, `20.x` or `*` stands for.
    fn of(text: &str) -> Option<Self> {
        let mut numbers = Vec::new();
        for part in text.strip_prefix('v').unwrap_or(text).split('.') {
            if matches!(part, "x" | "X" | "*") {
                break;
            }
            numbers.push(part.parse().ok()?);
        }
        Self::of_prefix(&numbers)
    }

    /// All versions that begin with these numbers.
    fn of_prefix(numbers: &[u64]) -> Option<Self> {
        let mut low = [0; 3];
        low.get_mut(..numbers.len())?.copy_from_slice(numbers);
        let high = numbers.len().checked_sub(1).map(|last| {
            let mut high = low;
            high[last] += 1;
            Version(high)
        });
        Some(Self {
            low: Version(low),
            high,
        })
    }

    fn and(self, other: Self) -> Self {
        let high = match (self.high, other.high) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self {
            low: self.low.max(other.low),
            high,
        }
    }

    fn contains(&self, version: Version) -> bool {
        self.low <= version && self.high.is_none_or(|high| version < high)
    }
}

/// A range as package.json writes it: `^20.19.0 || >=22.12.0`.
///
/// Understands `||`, a list of comparators, and in each `^ ~ >= > <= < =` before a version that may be cut short.
#[derive(Debug)]
pub(crate) struct Range(Vec<Span>);

impl Range {
    /// Returns nothing for a range in words this does not understand.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.split("||")
            .map(all_of)
            .collect::<Option<_>>()
            .map(Self)
    }

    pub(crate) fn contains(&self, version: Version) -> bool {
        self.0.iter().any(|span| span.contains(version))
    }
}

fn all_of(comparators: &str) -> Option<Span> {
    let mut spans = Span::ALL;
    let mut operator = "";
    for word in comparators.split_whitespace() {
        let version = word.trim_start_matches(['^', '~', '>', '<', '=']);
        if version.len() < word.len() {
            operator = &word[..word.len() - version.len()];
        }
        if !version.is_empty() {
            spans = spans.and(comparator(operator, version)?);
            operator = "";
        }
    }
    operator.is_empty().then_some(spans)
}

fn comparator(operator: &str, version: &str) -> Option<Span> {
    let span = Span::of(version)?;
    let Version([major, minor, _]) = span.low;
    match operator {
        "" | "=" => Some(span),
        "^" => Some(Span::of_prefix(&[major])?.and(Span { high: None, ..span })),
        "~" if version.contains('.') => {
            Some(Span::of_prefix(&[major, minor])?.and(Span { high: None, ..span }))
        }
        "~" => Some(span),
        ">=" => Some(Span { high: None, ..span }),
        ">" => Some(Span {
            low: span.high?,
            high: None,
        }),
        "<=" => Some(Span {
            low: Version::LOWEST,
            ..span
        }),
        "<" => Some(Span {
            low: Version::LOWEST,
            high: Some(span.low),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &str, inside: &[&str], outside: &[&str]) {
        let parsed = Range::parse(range).expect(range);
        let contains = |text: &&str| parsed.contains(Version::parse(text).expect(text));
        for version in inside {
            assert!(contains(version), "{version} is in {range}");
        }
        for version in outside {
            assert!(!contains(version), "{version} is not in {range}");
        }
    }

    #[test]
    fn a_range_of_alternatives_leaves_the_gap_between_them_out() {
        check(
            "^20.19.0 || >=22.12.0",
            &["v20.19.0", "20.20.2", "22.12.0", "23.0.1", "v24.1.0"],
            &["v18.20.4", "20.18.9", "21.7.3", "22.11.9"],
        );
    }

    #[test]
    fn versions_may_be_cut_short() {
        check(">=20", &["20.0.0", "21.1.0"], &["19.9.9"]);
        check(">20", &["21.0.0"], &["20.9.9"]);
        check("<=20", &["20.9.9", "1.0.0"], &["21.0.0"]);
        check("20.x", &["20.5.0"], &["19.0.0", "21.0.0"]);
        check("20", &["20.5.0"], &["21.0.0"]);
        check("*", &["0.1.0", "99.0.0"], &[]);
    }

    #[test]
    fn comparators_in_a_row_hold_together() {
        check(">=20.10 <22", &["20.10.0", "21.9.0"], &["20.9.0", "22.0.0"]);
        check(">= 20.1.0 < 20.3.0", &["20.2.0"], &["20.3.0", "20.0.9"]);
        check("~20.3.1", &["20.3.1", "20.3.9"], &["20.3.0", "20.4.0"]);
        check("~20", &["20.9.0"], &["21.0.0"]);
    }

    #[test]
    fn what_follows_the_numbers_is_not_looked_at() {
        check(">=24.0.0", &["v24.0.0-nightly2026", "24.1.0+build"], &[]);
    }

    #[test]
    fn a_range_in_other_words_is_not_guessed_at() {
        for text in ["latest", ">=", "1.2.3.4", "=>20", "20 - 22"] {
            assert!(Range::parse(text).is_none(), "{text}");
        }
        assert!(Version::parse("20.1").is_none());
    }
}

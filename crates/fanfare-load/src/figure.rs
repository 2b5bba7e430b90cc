//! Figures, and how they are written for people.

/// One result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// What it is.
    pub title: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// Things.
    Count,
    /// Things in a second.
    PerSecond,
    /// Microseconds.
    Microseconds,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A part of one.
    Share,
}

impl Figure {
    /// The value with its unit, such as `8.91 µs`.
    pub fn written(&self) -> String {
        self.unit.written(self.value)
    }
}

impl Unit {
    /// `value` with the unit, in a size that people can read: `1.26 ms` rather than `1260 µs`.
    pub fn written(self, value: f64) -> String {
        match self {
            Self::Count => grouped(value),
            Self::PerSecond => format!("{} /s", grouped(value)),
            Self::Microseconds => time(value),
            Self::Seconds => time(value * 1e6),
            Self::Bytes => bytes(value),
            Self::Share => format!("{:.0} %", 100.0 * value),
        }
    }
}

fn time(microseconds: f64) -> String {
    match microseconds.abs() {
        0.0..1e3 => format!("{} µs", significant(microseconds)),
        1e3..1e6 => format!("{} ms", significant(microseconds / 1e3)),
        _ => format!("{} s", significant(microseconds / 1e6)),
    }
}

fn bytes(bytes: f64) -> String {
    match bytes.abs() {
        0.0..1e3 => format!("{bytes:.0} B"),
        1e3..1e6 => format!("{} kB", significant(bytes / 1e3)),
        1e6..1e9 => format!("{} MB", significant(bytes / 1e6)),
        _ => format!("{} GB", significant(bytes / 1e9)),
    }
}

/// Three digits, or more where they stand before the point: 0.126, 1.26, 12.6, 126.
fn significant(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        0.0..0.9995 => 3,
        0.0..9.995 => 2,
        0.0..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A whole number with commas: 300,000.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    if value <= -0.5 {
        text.push('-');
    }
    for (i, digit) in digits.chars().enumerate() {
        if 0 < i && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, unit: Unit, expected: &str) {
        assert_eq!(unit.written(value), expected);
    }

    #[test]
    fn a_figure_is_as_long_as_it_says_something() {
        check(0.0, Unit::Microseconds, "0 µs");
        check(8.914, Unit::Microseconds, "8.91 µs");
        check(0.1264, Unit::Microseconds, "0.126 µs");
        check(1_260.0, Unit::Microseconds, "1.26 ms");
        check(9.999, Unit::Microseconds, "10.0 µs");
        check(0.25, Unit::Seconds, "250 ms");
        check(12.0, Unit::Seconds, "12.0 s");
        check(2_431.0, Unit::Bytes, "2.43 kB");
        check(300e6, Unit::Bytes, "300 MB");
        check(0.456, Unit::Share, "46 %");
        check(7.0, Unit::Count, "7");
        check(1_234_567.0, Unit::Count, "1,234,567");
        check(123_456.7, Unit::PerSecond, "123,457 /s");
    }
}

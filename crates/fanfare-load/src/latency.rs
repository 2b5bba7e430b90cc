//! How long things took, as a distribution.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};

/// How long each of many things took, to three digits.
///
/// As JSON it is its [`Quantiles`].
#[derive(Clone, Debug)]
pub struct Latency {
    nanoseconds: Histogram<u64>,
}

/// The usual points of a distribution, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Quantiles {
    /// How many things were timed.
    pub count: u64,
    /// Half took longer.
    pub p50_us: f64,
    /// One in ten took longer.
    pub p90_us: f64,
    /// One in a hundred took longer.
    pub p99_us: f64,
    /// One in a thousand took longer.
    pub p999_us: f64,
    /// None took longer.
    pub max_us: f64,
}

impl Latency {
    pub(crate) fn new() -> Self {
        Self {
            nanoseconds: Histogram::new_with_bounds(LEAST_NS, MOST_NS, DIGITS)
                .expect("the bounds are sensible"),
        }
    }

    pub(crate) fn record(&mut self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.saturating_record(nanoseconds);
    }

    /// The usual points.
    pub fn quantiles(&self) -> Quantiles {
        Quantiles {
            count: self.nanoseconds.len(),
            p50_us: self.at_us(0.5),
            p90_us: self.at_us(0.9),
            p99_us: self.at_us(0.99),
            p999_us: self.at_us(0.999),
            max_us: self.at_us(1.0),
        }
    }

    /// What the part `quantile` of all did not exceed, in microseconds.
    pub fn at_us(&self, quantile: f64) -> f64 {
        self.nanoseconds.value_at_quantile(quantile) as f64 / 1e3
    }
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.quantiles().serialize(serializer)
    }
}

const LEAST_NS: u64 = 100;
/// An hour: longer than any deadline that is worth setting.
const MOST_NS: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_three_digits() {
        let mut latency = Latency::new();
        for milliseconds in 1..=1_000 {
            latency.record(Duration::from_millis(milliseconds));
        }
        let quantiles = latency.quantiles();
        assert_eq!(quantiles.count, 1_000);
        for (actual, expected) in [
            (quantiles.p50_us, 500e3),
            (quantiles.p99_us, 990e3),
            (quantiles.max_us, 1_000e3),
        ] {
            assert!(
                (actual / expected - 1.0).abs() < 0.002,
                "{actual} for {expected}"
            );
        }
    }
}

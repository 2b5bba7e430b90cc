//! A column: one figure out of each report, and how it is written.

use serde_json::Value;

/// A column: one figure out of each report.
pub(crate) struct Metric {
    pub(crate) title: &'static str,
    /// Where the figure stands in the report, as a JSON pointer.
    pointer: &'static str,
    pub(crate) unit: Unit,
    pub(crate) compared: Compared,
}

/// Whether a column is followed by its ratio to the reference.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Compared {
    Yes,
    No,
}

/// How a figure is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// As it is.
    Plain,
    /// As it is, in whole numbers.
    Whole,
    /// Milliseconds, from microseconds.
    Milliseconds,
    /// Percent, from a part of one.
    Percent,
    /// Megabytes, from bytes.
    Megabytes,
}

impl Metric {
    pub(crate) fn new(title: &'static str, pointer: &'static str, unit: Unit) -> Self {
        Self {
            title,
            pointer,
            unit,
            compared: Compared::No,
        }
    }

    pub(crate) fn compared(self) -> Self {
        Self {
            compared: Compared::Yes,
            ..self
        }
    }

    pub(crate) fn of(&self, report: &Value) -> Option<f64> {
        report.pointer(self.pointer)?.as_f64()
    }
}

impl Unit {
    pub(crate) fn write(self, figure: f64) -> String {
        match self {
            Self::Plain => significant(figure),
            Self::Whole => format!("{figure:.0}"),
            Self::Milliseconds => significant(figure / 1e3),
            Self::Percent => format!("{:.0} %", 100.0 * figure),
            Self::Megabytes => significant(figure / 1e6),
        }
    }
}

/// With as many decimals as there is something to say: 0.126, 1.26, 12.6, 126.
fn significant(figure: f64) -> String {
    let decimals = match figure.abs() {
        0.0..1.0 => 3,
        1.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{figure:.decimals$}")
}

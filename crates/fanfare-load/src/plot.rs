//! Lines over an axis, as SVG.

use std::fmt::Write as _;

use crate::figure::Unit;

/// One plot of one line or two.
#[derive(Debug)]
pub(crate) struct Plot {
    /// What stands over the vertical axis.
    title: &'static str,
    unit: Unit,
    scale: Scale,
    lines: Vec<(&'static str, Vec<(f64, f64)>)>,
}

/// What the horizontal axis is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scale {
    /// Seconds from the start.
    Seconds,
    /// How rare something is: 1 is one in ten, 2 is one in a hundred.
    Rarity,
}

impl Plot {
    pub(crate) fn new(title: &'static str, unit: Unit, scale: Scale) -> Self {
        Self {
            title,
            unit,
            scale,
            lines: Vec::new(),
        }
    }

    /// Adds a line through `points`, from left to right.
    pub(crate) fn line(&mut self, title: &'static str, points: Vec<(f64, f64)>) {
        if !points.is_empty() {
            self.lines.push((title, points));
        }
    }

    /// The plot, for a page whose style has `line-0`, `line-1` and `grid`.
    pub(crate) fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let right = points().map(|(x, _)| *x).fold(f64::MIN_POSITIVE, f64::max);
        let most = points().map(|(_, y)| *y).fold(f64::MIN_POSITIVE, f64::max);
        let step = round_step(most / 4.0);
        let top = step * (most / step).ceil();
        let at_x = |x: f64| LEFT + (WIDTH - LEFT - RIGHT) * x / right;
        let at_y = |y: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / top;
        let titles: Vec<_> = self.lines.iter().map(|(title, _)| *title).collect();
        let label = format!("{}: {}", self.title, titles.join(", "));
        let mut svg =
            format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=img aria-label=\"{label}\">\n");
        for i in 0..=(top / step).round() as u32 {
            let value = step * f64::from(i);
            let y = at_y(value);
            let _ = writeln!(
                svg,
                "<line class=grid x1={LEFT} x2={} y1={y:.1} y2={y:.1} />\
                 <text x={} y={:.1} text-anchor=end>{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                tick(self.unit, value)
            );
        }
        for (x, label) in self.scale.ticks(right) {
            let _ = writeln!(
                svg,
                "<text x={:.1} y={} text-anchor=middle>{label}</text>",
                at_x(x),
                HEIGHT - 8.0
            );
        }
        let mut title_x = LEFT;
        for (i, (title, points)) in self.lines.iter().enumerate() {
            let _ = writeln!(svg, "<text class=line-{i} x={title_x} y=14>{title}</text>");
            title_x += 8.0 * title.len() as f64 + 16.0;
            let _ = write!(svg, "<polyline class=line-{i} points=\"");
            for (x, y) in points {
                let _ = write!(svg, "{:.1},{:.1} ", at_x(*x), at_y(*y));
            }
            svg.push_str("\" />\n");
        }
        let _ = writeln!(
            svg,
            "<text x={} y=14 text-anchor=end>{}</text>\n</svg>",
            WIDTH - RIGHT,
            self.title
        );
        svg
    }
}

impl Scale {
    /// Where the axis has labels, up to `right`.
    fn ticks(self, right: f64) -> Vec<(f64, String)> {
        match self {
            Self::Seconds => {
                let step = round_step(right / 6.0);
                let count = (right / step).floor() as u32;
                let seconds = (0..=count).map(|i| step * f64::from(i));
                seconds
                    .map(|second| (second, tick(Unit::Seconds, second)))
                    .collect()
            }
            Self::Rarity => {
                let names = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];
                let named = (0_u32..).map(f64::from).zip(names.map(str::to_owned));
                named.take_while(|(x, _)| *x <= right).collect()
            }
        }
    }
}

/// What stands beside an axis.
fn tick(unit: Unit, value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        _ => unit.written(value),
    }
}

/// 1, 2 or 5 times a power of ten, and at least `least`.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = steps.into_iter().find(|step| least <= *step * 1.000_001);
    step.unwrap_or(10.0 * power)
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 30.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (least, step) in [
            (0.9, 1.0),
            (1.0, 1.0),
            (1.1, 2.0),
            (3.0, 5.0),
            (700.0, 1_000.0),
            (0.03, 0.05),
        ] {
            let actual = round_step(least);
            assert!((actual / step - 1.0).abs() < 1e-9, "{actual} for {least}");
        }
    }

    #[test]
    fn the_highest_point_lies_within_the_axes() {
        let mut plot = Plot::new("of all", Unit::Share, Scale::Seconds);
        plot.line("it", vec![(0.0, 0.0), (1.0, 0.6)]);
        plot.line("nothing", Vec::new());
        let svg = plot.svg();
        assert!(svg.contains("points=\"80.0,230.0 696.0,30.0 \""), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 1);
    }
}

//! Plot: counts over time as steps, in SVG.

use std::fmt::Write as _;

/// A plot of a run.
#[derive(Debug)]
pub(super) struct Plot {
    /// Seconds to the right end.
    seconds: f64,
    lines: Vec<Line>,
    /// A time that is marked.
    mark: Option<f64>,
}

#[derive(Debug)]
struct Line {
    title: String,
    class: String,
    /// The value from each time on; none where there is no line.
    steps: Vec<(f64, Option<u64>)>,
}

impl Plot {
    pub(super) fn new(seconds: f64) -> Self {
        Self {
            seconds: seconds.max(f64::MIN_POSITIVE),
            lines: Vec::new(),
            mark: None,
        }
    }

    /// Adds a line of this `class` of the page's style.
    pub(super) fn line(&mut self, title: &str, class: &str, steps: Vec<(f64, Option<u64>)>) {
        self.lines.push(Line {
            title: title.to_owned(),
            class: class.to_owned(),
            steps,
        });
    }

    /// Marks a time.
    pub(super) fn mark(&mut self, at: f64) {
        self.mark = Some(at);
    }

    /// The plot, for a page whose style has `grid` and the lines' classes.
    pub(super) fn svg(&self) -> String {
        let values = || self.lines.iter().flat_map(|line| line.steps.iter());
        let highest = values()
            .filter_map(|(_, value)| *value)
            .max()
            .unwrap_or(0)
            .max(1);
        let step = round_step(highest.div_ceil(4));
        let top = highest.div_ceil(step) * step;
        let at_x = |x: f64| LEFT + (WIDTH - LEFT - RIGHT) * (x / self.seconds).min(1.0);
        let at_y = |y: u64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y as f64 / top as f64;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=img aria-label=\"the count over time\">\n"
        );
        for value in (0..=top).step_by(usize::try_from(step).unwrap_or(1)) {
            let y = at_y(value);
            let _ = writeln!(
                svg,
                "<line class=grid x1={LEFT} x2={} y1={y:.1} y2={y:.1} />\
                 <text x={} y={:.1} text-anchor=end>{value}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0
            );
        }
        let second = round_step((self.seconds / 8.0).ceil() as u64);
        for at in (0..=self.seconds as u64).step_by(usize::try_from(second).unwrap_or(1)) {
            let _ = writeln!(
                svg,
                "<text x={:.1} y={} text-anchor=middle>{at} s</text>",
                at_x(at as f64),
                HEIGHT - 8.0
            );
        }
        if let Some(at) = self.mark {
            let _ = writeln!(
                svg,
                "<line class=mark x1={0:.1} x2={0:.1} y1={TOP} y2={1} />",
                at_x(at),
                HEIGHT - BOTTOM
            );
        }
        let mut title_x = LEFT;
        for line in &self.lines {
            let (class, title) = (&line.class, &line.title);
            let _ = writeln!(svg, "<text class={class} x={title_x} y=14>{title}</text>");
            title_x += 8.0 * title.chars().count() as f64 + 16.0;
            for points in line.stretches(self.seconds) {
                let _ = write!(svg, "<polyline class={class} points=\"");
                for (x, y) in points {
                    let _ = write!(svg, "{:.1},{:.1} ", at_x(x), at_y(y));
                }
                svg.push_str("\" />\n");
            }
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Line {
    /// The corners of each part without a gap, up to `end`.
    fn stretches(&self, end: f64) -> Vec<Vec<(f64, u64)>> {
        let ends = self.steps.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let mut stretches: Vec<Vec<(f64, u64)>> = Vec::new();
        let mut is_open = false;
        for ((start, value), end) in self.steps.iter().zip(ends) {
            let Some(value) = *value else {
                is_open = false;
                continue;
            };
            if !is_open {
                stretches.push(Vec::new());
            }
            is_open = true;
            if let Some(stretch) = stretches.last_mut() {
                stretch.extend([(*start, value), (end, value)]);
            }
        }
        stretches
    }
}

/// 1, 2 or 5 times a power of ten, and at least `least`.
fn round_step(least: u64) -> u64 {
    let mut power = 1;
    loop {
        for factor in [1, 2, 5] {
            if least <= factor * power {
                return factor * power;
            }
        }
        power *= 10;
    }
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 30.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (least, step) in [(0, 1), (1, 1), (3, 5), (6, 10), (100, 100), (101, 200)] {
            assert_eq!(round_step(least), step, "for {least}");
        }
    }

    #[test]
    fn a_line_has_corners_and_gaps() {
        let mut plot = Plot::new(10.0);
        plot.line(
            "it",
            "truth",
            vec![(0.0, Some(2)), (5.0, Some(4)), (6.0, None), (8.0, Some(4))],
        );
        let svg = plot.svg();
        for points in [
            "48.0,110.0 372.0,110.0 372.0,30.0 436.8,30.0 ",
            "566.4,30.0 696.0,30.0 ",
        ] {
            assert!(
                svg.contains(&format!("points=\"{points}\"")),
                "{points}: {svg}"
            );
        }
        assert_eq!(svg.matches("<polyline").count(), 2);
    }
}

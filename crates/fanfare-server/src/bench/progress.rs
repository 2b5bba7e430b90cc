//! Progress: a bar on the terminal, while a scenario runs.

use fanfare_load::{Moment, Progress, Unit};
use indicatif::{ProgressBar, ProgressStyle};

/// The bar on standard error; there is none where that is no terminal.
#[derive(Clone, Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is right");
        bar.set_style(style);
        Self(bar)
    }

    /// Shows how far a scenario is.
    pub(super) fn observer(&self) -> impl FnMut(Progress, Moment) + 'static {
        let Self(bar) = self.clone();
        move |Progress { what, done, of }, moment| {
            bar.set_length(of);
            bar.set_position(done);
            bar.set_prefix(what);
            bar.set_message(live(&moment));
        }
    }

    /// Takes it off the terminal.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// The figures of a moment, in a few words.
fn live(moment: &Moment) -> String {
    let mut words = vec![format!(
        "{} received",
        Unit::PerSecond.written(moment.received_per_s)
    )];
    if let Some(cores) = moment.server_cores {
        words.push(format!("server {}", Unit::Share.written(cores)));
    }
    if let Some(bytes) = moment.server_memory_bytes {
        words.push(Unit::Bytes.written(bytes as f64));
    }
    words.push(format!(
        "generator {}",
        Unit::Share.written(moment.generator_busy)
    ));
    words.join(", ")
}

const TEMPLATE: &str = "{elapsed:>4} [{bar:24}] {human_pos}/{human_len} {prefix}: {msg}";

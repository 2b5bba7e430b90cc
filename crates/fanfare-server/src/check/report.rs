//! Report: what was found, told line by line as it is found, or as one JSON document at the end.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Instant,
};

use serde::Serialize;

use super::{
    Stop,
    args::{Args, Target},
};

/// What has been found.
#[derive(Debug)]
pub(super) struct Report {
    form: Form,
    began: Instant,
    document: Document,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Lines,
    Json,
}

/// The report, as programs read it.
#[derive(Debug, Serialize)]
struct Document {
    url: String,
    event: String,
    clients: usize,
    verdict: Verdict,
    /// Why nothing more could be found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    seconds: f64,
    sections: Vec<Section>,
}

#[derive(Debug, Serialize)]
struct Section {
    section: &'static str,
    verdict: Verdict,
    steps: Vec<Step>,
}

/// What was found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// It is right.
    Passed,
    /// It is wrong.
    Failed,
    /// That can't be told.
    Inconclusive,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// What was done.
    pub(super) action: String,
    /// What came of it.
    pub(super) finding: String,
    pub(super) verdict: Verdict,
    /// The number that everyone should have been shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expected: Option<u64>,
    /// The number that each was shown last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) shown: Vec<Shown>,
    pub(super) seconds: f64,
}

/// What a client was shown last.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Shown {
    pub(super) client: usize,
    pub(super) shown: Option<u64>,
}

impl Report {
    /// Begins it.
    pub(super) fn new(args: &Args, target: &Target) -> Self {
        let report = Self {
            form: if args.json { Form::Json } else { Form::Lines },
            began: Instant::now(),
            document: Document {
                url: target.address.to_string(),
                event: target.event.clone(),
                clients: target.n_clients,
                verdict: Verdict::Inconclusive,
                stopped: None,
                seconds: 0.0,
                sections: Vec::new(),
            },
        };
        report.line(&format!(
            "{}: {} clients, one by one, look at '{}'",
            target.address, target.n_clients, target.event
        ));
        report
    }

    /// A section begins.
    pub(super) fn begin(&mut self, section: &'static str) {
        self.line(&format!("\n{section}"));
        self.document.sections.push(Section {
            section,
            verdict: Verdict::Inconclusive,
            steps: Vec::new(),
        });
    }

    /// Something that a reader should know, and a program need not.
    pub(super) fn note(&self, text: &str) {
        self.line(&format!("    {text}"));
    }

    /// A step has been made.
    pub(super) fn step(&mut self, step: Step) {
        let mark = match step.verdict {
            Verdict::Passed => '✓',
            Verdict::Failed => '✗',
            Verdict::Inconclusive => '?',
        };
        let Step {
            action,
            finding,
            seconds,
            ..
        } = &step;
        self.line(&format!("  {mark} {seconds:6.2} s  {action}: {finding}"));
        if let Some(section) = self.document.sections.last_mut() {
            section.steps.push(step);
        }
    }

    /// The section is over.
    pub(super) fn end(&mut self, verdict: Verdict) {
        if let Some(section) = self.document.sections.last_mut() {
            section.verdict = verdict;
        }
    }

    /// Sums up. An error means that the check was stopped.
    pub(super) fn finish(mut self, checked: Result<(), Stop>) -> ExitCode {
        self.document.seconds = self.began.elapsed().as_secs_f64();
        let has = |verdict| {
            let mut sections = self.document.sections.iter();
            sections.any(|section| section.verdict == verdict)
        };
        self.document.verdict = match &checked {
            Err(_) => Verdict::Inconclusive,
            Ok(()) if has(Verdict::Failed) => Verdict::Failed,
            Ok(()) if has(Verdict::Inconclusive) => Verdict::Inconclusive,
            Ok(()) => Verdict::Passed,
        };
        self.sum_up(&checked);
        self.document.stopped = checked.err().map(|Stop(why)| why);
        if self.form == Form::Json {
            let text = serde_json::to_string_pretty(&self.document);
            print(&text.expect("text and finite numbers are JSON"));
        }
        ExitCode::from(match self.document.verdict {
            Verdict::Passed => 0,
            Verdict::Failed => 1,
            Verdict::Inconclusive => 2,
        })
    }

    fn sum_up(&self, checked: &Result<(), Stop>) {
        self.line("");
        if let Err(Stop(why)) = checked {
            // A terminal that is gone can't be told.
            let _ = writeln!(io::stderr(), "error: {why}");
            return;
        }
        for (word, verdict) in [
            ("passed", Verdict::Passed),
            ("failed", Verdict::Failed),
            ("inconclusive", Verdict::Inconclusive),
        ] {
            let sections = self.document.sections.iter();
            let names: Vec<&str> = sections
                .filter(|section| section.verdict == verdict)
                .map(|section| section.section)
                .collect();
            if !names.is_empty() {
                self.line(&format!("{word}: {}", names.join(", ")));
            }
        }
    }

    fn line(&self, text: &str) {
        if self.form == Form::Lines {
            print(text);
        }
    }
}

fn print(text: &str) {
    // Whoever has read enough may close the pipe.
    let _ = writeln!(io::stdout(), "{text}");
}

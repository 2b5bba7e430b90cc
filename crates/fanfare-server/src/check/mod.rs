//! `fanfare check`: does that server, whoever made it, tell everyone how many are there?
//!
//! Clients come one by one, over each transport; each newcomer and everyone before it has to be shown one more. Then
//! one leaves and one is cut off, and the others have to be shown one less.

mod args;
mod guests;
mod lesson;
mod party;
mod report;
mod section;
mod step;
mod wording;

use std::process::ExitCode;

pub(crate) use args::{Args, path, seconds};

use args::Target;
use guests::Guests;
use report::Report;
use section::Section;

/// Checks the server, prints what was found, and gives the program's exit code: 0 if all is well, 1 if something is
/// wrong, 2 if that could not be found out.
pub(crate) async fn run(args: Args) -> ExitCode {
    let target = Target::new(&args);
    let mut report = Report::new(&args, &target);
    let stopped = match Guests::sign_in(&args, &target).await {
        Ok(guests) => {
            let stopped = run_sections(&args, &target, &guests, &mut report).await;
            guests.sign_out(&target).await;
            stopped
        }
        Err(stop) => Err(stop),
    };
    report.finish(stopped)
}

async fn run_sections(
    args: &Args,
    target: &Target,
    guests: &Guests,
    report: &mut Report,
) -> Result<(), Stop> {
    if args.lesson {
        lesson::says(target, report).await?;
        return Section::does(args).run(target, guests, report).await;
    }
    for &way in &args.over {
        Section::come_and_go(way)
            .run(target, guests, report)
            .await?;
    }
    Ok(())
}

/// Why nothing more can be found out, in a sentence.
#[derive(Debug)]
struct Stop(String);

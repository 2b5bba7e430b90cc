//! Section: clients come, and go, over one transport.

use super::{
    Stop,
    args::{Args, Target, Way},
    guests::Guests,
    party::Party,
    report::{Report, Verdict},
    step::{Failure, Scene, Surprise},
};

/// A part of a check, with a verdict of its own.
#[derive(Debug)]
pub(super) struct Section {
    name: &'static str,
    /// How clients come, in turn.
    ways: Vec<Way>,
    course: Course,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Course {
    Come,
    ComeAndGo,
}

impl Section {
    /// Clients come, leave and are cut off.
    pub(super) fn come_and_go(way: Way) -> Self {
        Self {
            name: way.name(),
            ways: vec![way],
            course: Course::ComeAndGo,
        }
    }

    /// Clients come, each in another way than the one before: all that the lesson asks for.
    pub(super) fn does(args: &Args) -> Self {
        Self {
            name: "does",
            ways: args.over.clone(),
            course: Course::Come,
        }
    }

    /// Runs it; again if a number was shown that nothing here explains, for others may be there.
    ///
    /// # Errors
    ///
    /// If nothing can be checked at all.
    pub(super) async fn run(
        &self,
        target: &Target,
        guests: &Guests,
        report: &mut Report,
    ) -> Result<(), Stop> {
        report.begin(self.name);
        let mut surprises = Vec::new();
        loop {
            let mut party = Party::new(target, guests);
            let failure = self.attempt(&mut party, target, report).await.err();
            party.disperse().await;
            match failure {
                None => break report.end(Verdict::Passed),
                Some(Failure::Wrong) => break report.end(Verdict::Failed),
                Some(Failure::Stopped(stop)) => return Err(stop),
                Some(Failure::Surprise(surprise)) => surprises.push(surprise),
            }
            if surprises.len() == ATTEMPTS {
                let (verdict, why) = judge(&surprises);
                report.note(why);
                break report.end(verdict);
            }
            report.note("somebody else may have come or gone: once more");
        }
        Ok(())
    }

    async fn attempt(
        &self,
        party: &mut Party<'_>,
        target: &Target,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let mut scene = Scene::new(party, target, report);
        for &way in self.ways.iter().cycle().take(target.n_clients) {
            scene.come(way).await?;
        }
        match self.course {
            Course::Come => return Ok(()),
            Course::ComeAndGo => {}
        }
        scene.leave().await?;
        scene.lose().await?;
        while scene.has_others() {
            scene.leave().await?;
        }
        Ok(())
    }
}

/// A server that is wrong is wrong in the same way each time; people who come and go meanwhile are not.
fn judge(surprises: &[Surprise]) -> (Verdict, &'static str) {
    if surprises.windows(2).all(|pair| pair[0] == pair[1]) {
        return (
            Verdict::Failed,
            "the same each time, so nobody else has done that",
        );
    }
    (
        Verdict::Inconclusive,
        "something else each time, so others come and go: check again when it is quiet",
    )
}

/// Enough to tell a server that is wrong from people who happen to move.
const ATTEMPTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::{Surprise, Verdict, judge};

    #[track_caller]
    fn check(surprises: [(&str, i128); 3], expected: Verdict) {
        let surprises = surprises.map(|(action, error)| Surprise {
            action: action.to_owned(),
            error,
        });
        assert_eq!(judge(&surprises).0, expected);
    }

    #[test]
    fn the_same_surprise_each_time_is_the_servers_fault() {
        check([("client 2 comes", 1); 3], Verdict::Failed);
        check(
            [
                ("client 2 comes", 1),
                ("client 3 comes", 1),
                ("client 2 comes", 1),
            ],
            Verdict::Inconclusive,
        );
        check(
            [
                ("client 2 comes", 1),
                ("client 2 comes", 1),
                ("client 2 comes", 2),
            ],
            Verdict::Inconclusive,
        );
    }
}

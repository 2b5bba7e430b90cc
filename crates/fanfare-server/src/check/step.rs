//! Step: one client comes or goes, and what everyone is shown is judged.

use std::time::{Duration, Instant};

use fanfare_client::{ConnectError, TransportError};

use super::{
    Stop,
    args::{Target, Way},
    party::{Party, Trouble},
    report::{Report, Step, Verdict},
    wording::{group, one_or_all, seconds},
};

/// Where the steps of one attempt happen.
pub(super) struct Scene<'a, 'b> {
    party: &'a mut Party<'b>,
    target: &'a Target,
    report: &'a mut Report,
    /// The number that everyone is shown.
    here: u64,
}

/// Why an attempt did not come to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing can be checked at all.
    Stopped(Stop),
    /// The server is wrong.
    Wrong,
    /// Somebody else has moved the number, or the server is wrong.
    Surprise(Surprise),
}

/// A number that nothing done here explains.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Surprise {
    pub(super) action: String,
    /// What was shown, less what should have been.
    pub(super) error: i128,
}

/// What a client did, and what everyone should be shown for it.
struct Act {
    what: What,
    client: usize,
    expected: Option<u64>,
    began: Instant,
    patience: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum What {
    Comes,
    Leaves,
    IsLost,
}

impl<'a, 'b> Scene<'a, 'b> {
    pub(super) fn new(
        party: &'a mut Party<'b>,
        target: &'a Target,
        report: &'a mut Report,
    ) -> Self {
        Self {
            party,
            target,
            report,
            here: 0,
        }
    }

    /// Whether more than one client is there.
    pub(super) fn has_others(&self) -> bool {
        self.party.size() > 1
    }

    /// A client comes: it and all before it are to be shown one more. What the first is shown tells how many others
    /// are there.
    pub(super) async fn come(&mut self, way: Way) -> Result<(), Failure> {
        let patience = self.target.timeout;
        let client = self.party.size() + 1;
        let expected = match client {
            1 => None,
            _ => Some(self.here + 1),
        };
        let act = Act::new(What::Comes, client, expected, patience);
        let result = match self.party.come(way).await {
            Ok(()) => self.watch(&act).await,
            Err(trouble) => Err(trouble),
        };
        self.judge(&act, result)
    }

    /// The client that came last leaves: the others are to be shown one less.
    pub(super) async fn leave(&mut self) -> Result<(), Failure> {
        let act = self.act_of_going(What::Leaves, self.target.timeout);
        self.party.leave().await;
        let result = self.watch(&act).await;
        self.judge(&act, result)
    }

    /// The client that came last is cut off: the others are to be shown one less, as soon as the server can know.
    pub(super) async fn lose(&mut self) -> Result<(), Failure> {
        let [interval, timeout] = self.party.ping_spans();
        let most = interval + timeout;
        let act = self.act_of_going(What::IsLost, most + self.target.timeout);
        self.report.note(&format!(
            "client {} is cut off next, without a goodbye; the server may take {} to miss it \
             (pingInterval {} + pingTimeout {})",
            act.client,
            seconds(most),
            seconds(interval),
            seconds(timeout)
        ));
        self.party.lose().await;
        let result = self.watch(&act).await;
        self.judge(&act, result)
    }

    fn act_of_going(&self, what: What, patience: Duration) -> Act {
        let expected = Some(self.here.saturating_sub(1));
        Act::new(what, self.party.size(), expected, patience)
    }

    /// Waits until everyone has been shown the number that is expected, and nobody another one.
    async fn watch(&mut self, act: &Act) -> Result<(), Trouble> {
        let before = self.here;
        self.here = match act.expected {
            Some(expected) => expected,
            None => self.party.first_number(act.patience).await?,
        };
        let before = match act.expected {
            Some(_) => before,
            None => self.here,
        };
        self.party.settle(before, self.here, act.patience).await
    }

    fn judge(&mut self, act: &Act, result: Result<(), Trouble>) -> Result<(), Failure> {
        let (finding, failure) = match result {
            Ok(()) if self.here == 0 && act.what == What::Comes => {
                let finding = "is shown 0, though it is there itself".to_owned();
                (finding, Some(Failure::Wrong))
            }
            Ok(()) => (self.settled(act), None),
            Err(trouble) => {
                let (finding, failure) = self.explain(act, trouble)?;
                (finding, Some(failure))
            }
        };
        self.report.step(Step {
            action: act.action(),
            finding,
            verdict: match &failure {
                None => Verdict::Passed,
                Some(Failure::Wrong) => Verdict::Failed,
                Some(Failure::Stopped(_) | Failure::Surprise(_)) => Verdict::Inconclusive,
            },
            expected: act.expected,
            shown: self.party.shown(),
            seconds: act.began.elapsed().as_secs_f64(),
        });
        failure.map_or(Ok(()), Err)
    }

    /// What went wrong, and what that means.
    fn explain(&self, act: &Act, trouble: Trouble) -> Result<(String, Failure), Failure> {
        let finding = match trouble {
            Trouble::NotConnected(error) => {
                not_connected(error, self.target).map_err(Failure::Stopped)?
            }
            Trouble::Lost(client, reason) => {
                format!("client {client} lost its connection: {reason}")
            }
            Trouble::NotANumber(client, shown) => {
                format!("client {client} is shown {shown}, which is no number of people")
            }
            Trouble::Surprise(client, shown) => {
                let here = self.here;
                let surprise = Surprise {
                    action: act.action(),
                    error: i128::from(shown) - i128::from(here),
                };
                let finding = format!("client {client} is shown {shown} where {here} was expected");
                return Ok((finding, Failure::Surprise(surprise)));
            }
            Trouble::Overdue => self.overdue(act),
        };
        Ok((finding, Failure::Wrong))
    }

    fn settled(&self, act: &Act) -> String {
        let here = self.here;
        match (act.what, act.expected) {
            (What::Comes, None) => match here - 1 {
                0 => "is shown 1: nobody else is counted".to_owned(),
                1 => "is shown 2: somebody else is counted".to_owned(),
                others => format!("is shown {here}: {others} others are counted"),
            },
            (What::Comes, Some(_)) => match self.party.size() {
                2 => format!("both are shown {here}"),
                all => format!("all {all} are shown {here}"),
            },
            (What::Leaves | What::IsLost, _) => {
                format!("{} shown {here}", one_or_all(self.party.size()))
            }
        }
    }

    /// What is missing when the time is up.
    fn overdue(&self, act: &Act) -> String {
        let shown = self.party.shown();
        let everyone = group(&shown);
        let time = seconds(act.patience);
        let newcomer_is_blind = shown
            .last()
            .is_some_and(|newcomer| newcomer.shown.is_none());
        let nothing_moved = shown.iter().all(|member| {
            member
                .shown
                .is_some_and(|shown| Some(shown) != act.expected)
        });
        match act.what {
            What::Comes if newcomer_is_blind => format!(
                "{everyone} after {time}; a newcomer has to be shown the number, in the event '{}' (--event)",
                self.target.event
            ),
            What::Comes if self.party.newcomer_is_on_polling() => {
                format!("is still on polling after {time}: the upgrade to WebSocket does not work")
            }
            What::Comes => format!("{everyone} after {time}; {} was expected", self.here),
            What::Leaves if nothing_moved => format!(
                "{everyone} after {time}; {} was expected: no 'disconnect' handler counts down",
                self.here
            ),
            What::IsLost if nothing_moved => format!(
                "{everyone} after {time}; {} was expected: who is cut off stays counted",
                self.here
            ),
            What::Leaves | What::IsLost => {
                format!("{everyone} after {time}; {} was expected of all", self.here)
            }
        }
    }
}

impl Act {
    fn new(what: What, client: usize, expected: Option<u64>, patience: Duration) -> Self {
        Self {
            what,
            client,
            expected,
            began: Instant::now(),
            patience,
        }
    }

    fn action(&self) -> String {
        let does = match self.what {
            What::Comes => "comes",
            What::Leaves => "leaves",
            What::IsLost => "is cut off",
        };
        format!("client {} {does}", self.client)
    }
}

/// What the server does wrong that a client could not come; or that we are not wanted, or that there is no server.
fn not_connected(error: ConnectError, target: &Target) -> Result<String, Stop> {
    let address = &target.address;
    let refused = |what: &str, why: &str| {
        Stop(format!(
            "{address} refused the {what}, '{why}': sign clients in with --guest, or bring a session with --cookie"
        ))
    };
    match error {
        ConnectError::Refused(refusal) => Err(refused("socket", &refusal.message)),
        ConnectError::Transport(TransportError::Status {
            status: 401 | 403,
            message,
        }) => Err(refused("connection", &message)),
        // Socket.IO is there, but not in this way.
        ConnectError::Transport(TransportError::Status { status: 400, .. })
        | ConnectError::Ended(_) => Ok(format!("does not get in: {error}")),
        error => Err(Stop(format!(
            "no Socket.IO server is reached at {address}: {error}"
        ))),
    }
}

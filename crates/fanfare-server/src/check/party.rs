//! Party: the clients that are there just now, and what each has been shown.

use std::time::Duration;

use fanfare_client::{Client, ConnectError, DisconnectReason, Event, Incoming};
use futures_util::future::select_all;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    args::{Target, Way},
    guests::Guests,
    report::Shown,
};

/// The clients that are there, in the order in which they came.
pub(super) struct Party<'a> {
    target: &'a Target,
    guests: &'a Guests,
    members: Vec<Member>,
}

/// A client.
struct Member {
    /// Counted from 1.
    number: usize,
    client: Client,
    way: Way,
    has_upgraded: bool,
    /// The number it was shown last.
    shown: Option<u64>,
}

/// What is not as it should be.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The client could not come.
    NotConnected(ConnectError),
    /// A client lost its connection.
    Lost(usize, DisconnectReason),
    /// A client was shown something that is no number of people.
    NotANumber(usize, String),
    /// A client was shown a number that nothing done here explains.
    Surprise(usize, u64),
    /// The time is up, and not everyone has been shown what it should.
    Overdue,
}

impl<'a> Party<'a> {
    pub(super) fn new(target: &'a Target, guests: &'a Guests) -> Self {
        Self {
            target,
            guests,
            members: Vec::new(),
        }
    }

    /// Clients that are there.
    pub(super) fn size(&self) -> usize {
        self.members.len()
    }

    /// What each has been shown last.
    pub(super) fn shown(&self) -> Vec<Shown> {
        let of = |member: &Member| Shown {
            client: member.number,
            shown: member.shown,
        };
        self.members.iter().map(of).collect()
    }

    /// Whether the one who came last should be on WebSocket by now, and is not.
    pub(super) fn newcomer_is_on_polling(&self) -> bool {
        let newcomer = self.members.last();
        newcomer.is_some_and(|newcomer| !newcomer.has_arrived())
    }

    /// One more client comes.
    pub(super) async fn come(&mut self, way: Way) -> Result<(), Trouble> {
        let number = self.members.len() + 1;
        let options = self.target.options(way, self.guests.cookie(number));
        let client = Client::connect(&self.target.address, options)
            .await
            .map_err(Trouble::NotConnected)?;
        self.members.push(Member {
            number,
            client,
            way,
            has_upgraded: false,
            shown: None,
        });
        Ok(())
    }

    /// The one who came last leaves; waits until the server has heard its goodbye.
    pub(super) async fn leave(&mut self) {
        if let Some(member) = self.members.pop() {
            member.client.disconnect().await;
        }
    }

    /// The one who came last is cut off, as by a crash.
    pub(super) async fn lose(&mut self) {
        if let Some(member) = self.members.pop() {
            if member.way == Way::Polling {
                sleep(POLLING_AGAIN).await;
            }
            member.client.abort().await;
        }
    }

    /// All leave, one after the other.
    pub(super) async fn disperse(mut self) {
        while !self.members.is_empty() {
            self.leave().await;
        }
    }

    /// How long after the last sign of life from a client the server knows that it is gone: its ping's interval and
    /// timeout, as it told the first client.
    pub(super) fn ping_spans(&self) -> [Duration; 2] {
        let first = self.members.first();
        first.map_or([Duration::ZERO; 2], |Member { client, .. }| {
            [client.ping_interval(), client.ping_timeout()]
        })
    }

    /// Waits until the first client has been shown a number.
    pub(super) async fn first_number(&mut self, patience: Duration) -> Result<u64, Trouble> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(shown) = self.members.first().and_then(|first| first.shown) {
                return Ok(shown);
            }
            self.hear(deadline).await?;
        }
    }

    /// Waits until everyone has arrived and been shown `to`. Meanwhile anyone may be shown `from`.
    pub(super) async fn settle(
        &mut self,
        from: u64,
        to: u64,
        patience: Duration,
    ) -> Result<(), Trouble> {
        let deadline = Instant::now() + patience;
        loop {
            let odd = self.members.iter().find_map(|member| {
                let odd = member.shown.filter(|&shown| shown != from && shown != to);
                odd.map(|shown| Trouble::Surprise(member.number, shown))
            });
            if let Some(surprise) = odd {
                return Err(surprise);
            }
            let is_settled = |member: &Member| member.shown == Some(to) && member.has_arrived();
            if self.members.iter().all(is_settled) {
                return Ok(());
            }
            self.hear(deadline).await?;
        }
    }

    /// Waits for one thing to come, to whomever; somebody has to be there.
    async fn hear(&mut self, deadline: Instant) -> Result<(), Trouble> {
        let members = self.members.iter_mut();
        let next = select_all(members.map(|member| Box::pin(member.client.next())));
        let (incoming, index, _) = timeout_at(deadline, next)
            .await
            .map_err(|_| Trouble::Overdue)?;
        let member = &mut self.members[index];
        match incoming {
            Some(Incoming::Event(event)) if event.name == self.target.event => {
                member.shown =
                    Some(number_in(&event).ok_or_else(|| {
                        Trouble::NotANumber(member.number, event.args.json.clone())
                    })?);
            }
            Some(Incoming::Event(_)) => {}
            Some(Incoming::Upgraded) => member.has_upgraded = true,
            Some(Incoming::Disconnected(reason)) => {
                return Err(Trouble::Lost(member.number, reason));
            }
            None => {
                let reason = DisconnectReason::TransportClose;
                return Err(Trouble::Lost(member.number, reason));
            }
        }
        Ok(())
    }
}

impl Member {
    /// Whether it is on the transport that it should end up on.
    fn has_arrived(&self) -> bool {
        match self.way {
            Way::Upgraded => self.has_upgraded,
            Way::Polling | Way::Websocket => true,
        }
    }
}

/// The number that an event carries as its first argument.
fn number_in(event: &Event) -> Option<u64> {
    let args: Vec<serde_json::Value> = event.args.parse().ok()?;
    args.first()?.as_u64()
}

/// In this time a client has sent its next `GET`. Between two of them there is no connection that could be lost, and
/// only the ping's timeout tells a server that the client is gone.
const POLLING_AGAIN: Duration = Duration::from_millis(200);

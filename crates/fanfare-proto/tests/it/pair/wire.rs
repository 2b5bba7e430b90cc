//! What lies between the two ends: requests, answers and WebSocket frames, under way for a while, or lost.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The connections between the two ends. What was sent on one arrives in order.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) delays: Delays,
    pub(super) cut: Cut,
    start: Instant,
    n_sent: [usize; 2],
    broken: [Option<Loss>; 2],
    under_way: BTreeMap<(Instant, usize), Delivery>,
}

/// How long anything is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delays {
    pub(super) http: Duration,
    pub(super) websocket: Duration,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    Never,
    /// The delivery with this number, counted per line from 0, is lost, and with it those that follow.
    Line(Line, usize, Loss),
    /// From then on nothing at all arrives.
    Unplugged(Duration),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Line {
    Http,
    WebSocket,
}

/// Who notices.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Loss {
    /// Both ends.
    Reset,
    /// Nobody.
    Silence,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Delivery {
    ToServer(ToServer),
    ToClient(ToClient),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ToServer {
    Get,
    Post(String),
    Dial,
    Frame(Frame),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ToClient {
    GetAnswer(Result<String, Refused>),
    PostAnswer(Result<(), Refused>),
    Dialled,
    Frame(Frame),
}

/// A status that is not 200, or no answer at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Refused;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Frame {
    Text(String),
    /// A Close frame, or the end of the connection.
    Close,
}

impl Wire {
    pub(super) fn new(delays: Delays, cut: Cut, start: Instant) -> Self {
        Self {
            delays,
            cut,
            start,
            n_sent: [0; 2],
            broken: [None; 2],
            under_way: BTreeMap::new(),
        }
    }

    pub(super) fn send_to_server(&mut self, delivery: ToServer, now: Instant) {
        let line = match delivery {
            ToServer::Get | ToServer::Post(_) => Line::Http,
            ToServer::Dial | ToServer::Frame(_) => Line::WebSocket,
        };
        let failure = match delivery {
            ToServer::Get => vec![Delivery::ToClient(ToClient::GetAnswer(Err(Refused)))],
            ToServer::Post(_) => vec![Delivery::ToClient(ToClient::PostAnswer(Err(Refused)))],
            ToServer::Dial | ToServer::Frame(_) => both_ends_closed(),
        };
        self.send(line, Delivery::ToServer(delivery), failure, now);
    }

    pub(super) fn send_to_client(&mut self, delivery: ToClient, now: Instant) {
        let line = match delivery {
            ToClient::GetAnswer(_) | ToClient::PostAnswer(_) => Line::Http,
            ToClient::Dialled | ToClient::Frame(_) => Line::WebSocket,
        };
        let failure = match delivery {
            ToClient::GetAnswer(_) => vec![Delivery::ToClient(ToClient::GetAnswer(Err(Refused)))],
            ToClient::PostAnswer(_) => {
                vec![Delivery::ToClient(ToClient::PostAnswer(Err(Refused)))]
            }
            ToClient::Dialled | ToClient::Frame(_) => both_ends_closed(),
        };
        self.send(line, Delivery::ToClient(delivery), failure, now);
    }

    /// When the next delivery arrives.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.under_way.keys().next().map(|&(at, _)| at)
    }

    /// The delivery that has arrived by `now`, if one has.
    pub(super) fn poll_delivery(&mut self, now: Instant) -> Option<Delivery> {
        let entry = self.under_way.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// Whether the cut has happened.
    pub(super) fn is_cut(&self) -> bool {
        self.broken.iter().any(Option::is_some)
    }

    fn send(&mut self, line: Line, delivery: Delivery, failure: Vec<Delivery>, now: Instant) {
        let (index, delay) = match line {
            Line::Http => (0, self.delays.http),
            Line::WebSocket => (1, self.delays.websocket),
        };
        let n = self.n_sent[index];
        self.n_sent[index] += 1;
        let at = now + delay;
        match self.cut {
            Cut::Unplugged(after) if self.start + after < at => return,
            Cut::Line(broken, first, loss) if broken == line && first <= n => {
                let is_news = self.broken[index].replace(loss).is_none();
                let is_request = line == Line::Http;
                if loss == Loss::Reset && (is_news || is_request) {
                    failure
                        .into_iter()
                        .for_each(|failure| self.arrive(at, failure));
                }
                return;
            }
            Cut::Never | Cut::Unplugged(_) | Cut::Line(..) => {}
        }
        self.arrive(at, delivery);
    }

    fn arrive(&mut self, at: Instant, delivery: Delivery) {
        let order = self.n_sent.iter().sum::<usize>() * 2;
        let is_taken = self.under_way.contains_key(&(at, order));
        self.under_way
            .insert((at, order + usize::from(is_taken)), delivery);
    }
}

fn both_ends_closed() -> Vec<Delivery> {
    vec![
        Delivery::ToServer(ToServer::Frame(Frame::Close)),
        Delivery::ToClient(ToClient::Frame(Frame::Close)),
    ]
}

//! Client ⇄ server in one thread and in virtual time: delays and cuts are fields, and nobody waits.

mod close;
mod ends;
mod heartbeat;
mod upgrade;
mod wire;

use std::time::{Duration, Instant};

use fanfare_proto::engineio::{ClientTiming, CloseReason, Timing, Transport, Transports};

use self::{
    ends::{Client, Log, Server},
    wire::{Cut, Delays, Delivery, Wire},
};

/// A client's session, the server's, and what lies between them.
#[derive(Debug)]
struct Pair {
    start: Instant,
    now: Instant,
    wire: Wire,
    client: Client,
    server: Server,
    sent_by_client: Vec<String>,
    sent_by_server: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Setup {
    transports: Transports,
    timing: Timing,
    client_timing: ClientTiming,
    delays: Delays,
    cut: Cut,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            transports: Transports::PollingThenWebSocket,
            timing: Timing::default(),
            client_timing: ClientTiming::default(),
            delays: delays(10, 10),
            cut: Cut::Never,
        }
    }
}

impl Pair {
    fn new(setup: Setup) -> Self {
        let start = Instant::now();
        let mut wire = Wire::new(setup.delays, setup.cut, start);
        let client = Client::new(setup.transports, &setup.client_timing, &mut wire, start);
        Self {
            start,
            now: start,
            wire,
            client,
            server: Server::new(setup.timing),
            sent_by_client: Vec::new(),
            sent_by_server: Vec::new(),
        }
    }

    /// Lets everything happen that happens by `ms` after the start.
    fn run_until(&mut self, ms: u64) {
        let end = self.start + Duration::from_millis(ms);
        let mut n_steps = 0;
        while let Some(at) = self.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.step();
            n_steps += 1;
            assert!(n_steps < 1_000_000, "time stands still");
        }
        self.now = end;
    }

    fn step(&mut self) {
        let now = self.now;
        match self.wire.poll_delivery(now) {
            Some(Delivery::ToServer(delivery)) => self.server.handle(delivery, &mut self.wire, now),
            Some(Delivery::ToClient(delivery)) => self.client.handle(delivery, &mut self.wire, now),
            None => {
                self.server.handle_timeout(&mut self.wire, now);
                self.client.handle_timeout(&mut self.wire, now);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [
            self.wire.poll_timeout(),
            self.server.poll_timeout(),
            self.client.session.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Both sides send a numbered message every `step` milliseconds, as long as they may.
    fn talk_until(&mut self, ms: u64, step: u64) {
        let mut at = u64::try_from((self.now - self.start).as_millis()).expect("a short test");
        while at < ms {
            self.run_until(at);
            self.client_sends();
            self.server_sends();
            at += step;
        }
        self.run_until(ms);
    }

    /// Two minutes in which things may go wrong, and two more for both sides to notice.
    fn settle(&mut self) {
        self.run_until(MINUTES_2);
        if !self.wire.is_cut() {
            self.wire.cut = Cut::Never;
        }
        self.run_until(2 * MINUTES_2);
    }

    fn client_sends(&mut self) {
        if self.client.session.is_open() {
            let text = format!("c{}", self.sent_by_client.len());
            self.client.send(&text, &mut self.wire, self.now);
            self.sent_by_client.push(text);
        }
    }

    fn server_sends(&mut self) {
        if self.server.is_open() {
            let text = format!("s{}", self.sent_by_server.len());
            self.server.send(&text, &mut self.wire, self.now);
            self.sent_by_server.push(text);
        }
    }

    fn close_server(&mut self) {
        let now = self.now;
        self.server.session().close(now);
        self.server.drain(&mut self.wire, now);
    }

    fn abort_server(&mut self, reason: CloseReason) {
        self.server.session().abort(reason);
        self.server.drain(&mut self.wire, self.now);
    }

    fn close_client(&mut self) {
        self.client.session.close(self.now);
        self.client.drain(&mut self.wire, self.now);
    }

    #[track_caller]
    fn check_open(&self, transport: Transport) {
        assert_eq!(self.server.log.closed, None, "the server's side");
        assert_eq!(self.client.log.closed, None, "the client's side");
        assert_eq!(self.server.transport(), Some(transport));
        assert_eq!(self.client.session.transport(), transport);
        self.check_all_received();
    }

    #[track_caller]
    fn check_all_received(&self) {
        assert_eq!(self.server.log.received, self.sent_by_client);
        assert_eq!(self.client.log.received, self.sent_by_server);
    }

    /// Whatever was lost, nothing was doubled, reordered or left out between two that arrived.
    #[track_caller]
    fn check_in_order(&self) {
        assert!(
            self.sent_by_client.starts_with(&self.server.log.received),
            "{self:?}"
        );
        assert!(
            self.sent_by_server.starts_with(&self.client.log.received),
            "{self:?}"
        );
    }

    /// Both sides have closed, or agree on the transport and have told each other all.
    #[track_caller]
    fn check_settled(&self) {
        self.check_in_order();
        let server_is_gone = self.server.log.closed.is_some() || self.server.transport().is_none();
        match (server_is_gone, self.client.log.closed) {
            (true, Some(_)) => {}
            (false, None) => self.check_open(self.client.session.transport()),
            (true, None) | (false, Some(_)) => {
                panic!("one side only has closed: {:?}", self.reasons())
            }
        }
    }

    #[track_caller]
    fn check_closed(&self, log: &Log, reason: CloseReason, ms: u64) {
        let at = self.start + Duration::from_millis(ms);
        let actual = log
            .closed
            .map(|(reason, closed_at)| (reason, closed_at - self.start));
        assert_eq!(actual, Some((reason, at - self.start)));
    }

    fn reasons(&self) -> (Option<CloseReason>, Option<CloseReason>) {
        let reason = |log: &Log| log.closed.map(|(reason, _)| reason);
        (reason(&self.server.log), reason(&self.client.log))
    }
}

fn delays(http: u64, websocket: u64) -> Delays {
    Delays {
        http: Duration::from_millis(http),
        websocket: Duration::from_millis(websocket),
    }
}

const MINUTES_2: u64 = 120_000;

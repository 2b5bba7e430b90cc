//! The two drivers: what a server and a client do around their machines, in as few lines as it takes.

use std::{collections::VecDeque, mem, time::Instant};

use fanfare_proto::engineio::{
    ClientOutput, ClientSession, ClientTiming, CloseReason, Message, Open, Output, Packet,
    Revision, Session, Timing, Transport, Transports, Via, payload,
};

use super::wire::{Frame, Refused, ToClient, ToServer, Wire};

/// What either end has seen of its session.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) received: Vec<String>,
    pub(super) closed: Option<(CloseReason, Instant)>,
}

impl Log {
    fn receive(&mut self, message: Message) {
        assert_eq!(self.closed, None, "a message after Closed");
        let Message::Text(text) = message else {
            panic!("only text was sent");
        };
        self.received.push(text);
    }

    fn close(&mut self, reason: CloseReason, now: Instant) {
        assert_eq!(self.closed.replace((reason, now)), None, "Closed twice");
    }
}

/// The server: one session, which the first request opens.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) log: Log,
    timing: Timing,
    session: Option<Session>,
    get: Get,
    websocket: Option<Via>,
    unsent: VecDeque<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Get {
    None,
    Pending,
}

impl Server {
    pub(super) fn new(timing: Timing) -> Self {
        Self {
            log: Log::default(),
            timing,
            session: None,
            get: Get::None,
            websocket: None,
            unsent: VecDeque::new(),
        }
    }

    pub(super) fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("a request has opened it")
    }

    pub(super) fn is_open(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_open)
    }

    pub(super) fn transport(&self) -> Option<Transport> {
        self.session.as_ref().map(Session::transport)
    }

    pub(super) fn send(&mut self, text: &str, wire: &mut Wire, now: Instant) {
        self.unsent.push_back(format!("4{text}"));
        self.flush(wire, now);
    }

    pub(super) fn handle(&mut self, delivery: ToServer, wire: &mut Wire, now: Instant) {
        if self.session.is_none() {
            self.open(&delivery, wire, now);
            return;
        }
        match delivery {
            ToServer::Get => self.handle_get(wire, now),
            ToServer::Post(body) => self.handle_post(&body, wire, now),
            ToServer::Dial => match self.session().handle_probe(now) {
                Ok(()) => {
                    self.websocket = Some(Via::Probe);
                    wire.send_to_client(ToClient::Dialled, now);
                }
                Err(_) => wire.send_to_client(ToClient::Frame(Frame::Close), now),
            },
            ToServer::Frame(Frame::Text(text)) => {
                let Some(via) = self.websocket else { return };
                self.feed(via, &text, now);
            }
            ToServer::Frame(Frame::Close) => {
                let Some(via) = self.websocket.take() else {
                    return;
                };
                self.session()
                    .handle_transport_closed(via, CloseReason::TransportClose, now);
            }
        }
        self.drain(wire, now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.session.as_ref()?.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, wire: &mut Wire, now: Instant) {
        if let Some(session) = &mut self.session {
            session.handle_timeout(now);
            self.drain(wire, now);
        }
    }

    pub(super) fn drain(&mut self, wire: &mut Wire, now: Instant) {
        while let Some(output) = self.session().poll_output() {
            assert_eq!(self.log.closed, None, "{output:?} after Closed");
            match output {
                Output::Send(packet) => {
                    self.unsent.push_front(encode(&packet));
                    self.flush(wire, now);
                }
                Output::SendProbe(packet) => {
                    wire.send_to_client(ToClient::Frame(Frame::Text(encode(&packet))), now);
                }
                Output::AnswerPoll(answer) => {
                    assert_eq!(self.take_get(), Get::Pending, "no GET is pending");
                    wire.send_to_client(ToClient::GetAnswer(Ok(answer.as_str().to_owned())), now);
                }
                Output::DropProbe => {
                    assert_eq!(self.websocket.take(), Some(Via::Probe));
                    wire.send_to_client(ToClient::Frame(Frame::Close), now);
                }
                Output::Upgraded => {
                    self.websocket = Some(Via::WebSocket);
                    self.flush(wire, now);
                }
                Output::Message(message) => self.log.receive(message),
                Output::CloseTransport => {
                    self.flush(wire, now);
                    self.websocket = None;
                    wire.send_to_client(ToClient::Frame(Frame::Close), now);
                }
                Output::Closed(reason) => {
                    assert_eq!(self.get, Get::None, "a GET is left behind");
                    assert_eq!(self.websocket, None, "a WebSocket is left behind");
                    self.log.close(reason, now);
                }
            }
        }
    }

    fn open(&mut self, delivery: &ToServer, wire: &mut Wire, now: Instant) {
        let transport = match delivery {
            ToServer::Get => Transport::Polling,
            ToServer::Dial => Transport::WebSocket,
            ToServer::Post(_) | ToServer::Frame(_) => return,
        };
        let open = Open {
            sid: "lv_VI97HAXpY6yYWAAAC".to_owned(),
            upgrades: transport.upgrades(),
            ping_interval: self.timing.ping_interval,
            ping_timeout: self.timing.ping_timeout,
            max_payload: 1_000_000,
        };
        let mut text = Vec::new();
        open.encode(&mut text);
        let text = String::from_utf8(text).expect("packets are text");
        self.session = Some(Session::new(Revision::V4, transport, &self.timing, now));
        match transport {
            Transport::Polling => wire.send_to_client(ToClient::GetAnswer(Ok(text)), now),
            Transport::WebSocket => {
                self.websocket = Some(Via::WebSocket);
                wire.send_to_client(ToClient::Dialled, now);
                wire.send_to_client(ToClient::Frame(Frame::Text(text)), now);
            }
        }
    }

    fn handle_get(&mut self, wire: &mut Wire, now: Instant) {
        match self.session().handle_poll(now) {
            Err(_) => wire.send_to_client(ToClient::GetAnswer(Err(Refused)), now),
            Ok(()) => {
                self.get = Get::Pending;
                self.drain(wire, now);
                self.flush(wire, now);
                if self.get == Get::Pending {
                    self.session().handle_poll_parked(now);
                }
            }
        }
    }

    fn handle_post(&mut self, body: &str, wire: &mut Wire, now: Instant) {
        let answer = self.session().handle_post(now).map_err(|_| Refused);
        if answer.is_ok() {
            for packet in payload::decode(body) {
                let packet = packet.expect("our client sends packets");
                self.session().handle_packet(Via::Polling, packet, now);
            }
            self.session().handle_post_end();
        }
        wire.send_to_client(ToClient::PostAnswer(answer), now);
    }

    fn take_get(&mut self) -> Get {
        mem::replace(&mut self.get, Get::None)
    }

    fn feed(&mut self, via: Via, text: &str, now: Instant) {
        let packet = Packet::decode_text(text).expect("our client sends packets");
        self.session().handle_packet(via, packet, now);
    }

    fn flush(&mut self, wire: &mut Wire, now: Instant) {
        if self.unsent.is_empty() {
            return;
        }
        if self.websocket == Some(Via::WebSocket) {
            for text in mem::take(&mut self.unsent) {
                wire.send_to_client(ToClient::Frame(Frame::Text(text)), now);
            }
        } else if self.take_get() == Get::Pending {
            let body = join(&mem::take(&mut self.unsent));
            wire.send_to_client(ToClient::GetAnswer(Ok(body)), now);
            self.session().handle_poll_answered();
        }
    }
}

/// The client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) log: Log,
    pub(super) session: ClientSession,
    websocket: Option<Via>,
    unsent: VecDeque<String>,
    post: Post,
}

/// The `POST` of a client, of which there is one at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Post {
    None,
    Pending,
    /// Pending, and a last one is to follow: that the session is over.
    PendingThenClose,
}

impl Client {
    pub(super) fn new(
        transports: Transports,
        timing: &ClientTiming,
        wire: &mut Wire,
        now: Instant,
    ) -> Self {
        let mut client = Self {
            log: Log::default(),
            session: ClientSession::new(transports, timing, now),
            websocket: None,
            unsent: VecDeque::new(),
            post: Post::None,
        };
        if transports == Transports::WebSocket {
            client.websocket = Some(Via::WebSocket);
            wire.send_to_server(ToServer::Dial, now);
        }
        client.drain(wire, now);
        client
    }

    pub(super) fn send(&mut self, text: &str, wire: &mut Wire, now: Instant) {
        self.unsent.push_back(format!("4{text}"));
        self.flush(wire, now);
    }

    pub(super) fn handle(&mut self, delivery: ToClient, wire: &mut Wire, now: Instant) {
        match delivery {
            ToClient::GetAnswer(Ok(body)) => {
                for packet in payload::decode(&body) {
                    let packet = packet.expect("our server sends packets");
                    self.session.handle_packet(Via::Polling, packet, now);
                }
                self.session.handle_poll_end(now);
            }
            ToClient::PostAnswer(Ok(())) => {
                let post = mem::replace(&mut self.post, Post::None);
                self.session.handle_post_end(now);
                if post == Post::PendingThenClose {
                    self.post_close(wire, now);
                }
            }
            ToClient::GetAnswer(Err(Refused)) | ToClient::PostAnswer(Err(Refused)) => {
                let reason = CloseReason::TransportError;
                self.session
                    .handle_transport_closed(Via::Polling, reason, now);
            }
            ToClient::Dialled => {
                if self.websocket == Some(Via::Probe) {
                    self.session.handle_probe_open(now);
                }
            }
            ToClient::Frame(Frame::Text(text)) => {
                let Some(via) = self.websocket else { return };
                let packet = Packet::decode_text(&text).expect("our server sends packets");
                self.session.handle_packet(via, packet, now);
            }
            ToClient::Frame(Frame::Close) => {
                let Some(via) = self.websocket.take() else {
                    return;
                };
                self.session
                    .handle_transport_closed(via, CloseReason::TransportClose, now);
            }
        }
        self.drain(wire, now);
    }

    pub(super) fn handle_timeout(&mut self, wire: &mut Wire, now: Instant) {
        self.session.handle_timeout(now);
        self.drain(wire, now);
    }

    pub(super) fn drain(&mut self, wire: &mut Wire, now: Instant) {
        while let Some(output) = self.session.poll_output() {
            assert_eq!(self.log.closed, None, "{output:?} after Closed");
            match output {
                ClientOutput::Poll => wire.send_to_server(ToServer::Get, now),
                ClientOutput::Opened(_) => {}
                ClientOutput::Send(packet) => self.unsent.push_back(encode(&packet)),
                ClientOutput::OpenProbe => {
                    self.websocket = Some(Via::Probe);
                    wire.send_to_server(ToServer::Dial, now);
                }
                ClientOutput::SendProbe(packet) => {
                    wire.send_to_server(ToServer::Frame(Frame::Text(encode(&packet))), now);
                }
                ClientOutput::DropProbe => {
                    assert_eq!(self.websocket.take(), Some(Via::Probe));
                    wire.send_to_server(ToServer::Frame(Frame::Close), now);
                }
                ClientOutput::Upgraded => self.websocket = Some(Via::WebSocket),
                ClientOutput::Message(message) => self.log.receive(message),
                ClientOutput::CloseTransport => self.close_transport(wire, now),
                ClientOutput::Closed(reason) => self.log.close(reason, now),
            }
        }
        self.flush(wire, now);
    }

    fn close_transport(&mut self, wire: &mut Wire, now: Instant) {
        if self.websocket.take().is_some() {
            for text in mem::take(&mut self.unsent) {
                wire.send_to_server(ToServer::Frame(Frame::Text(text)), now);
            }
            wire.send_to_server(ToServer::Frame(Frame::Close), now);
        } else if self.post == Post::Pending {
            self.post = Post::PendingThenClose;
        } else {
            self.post_close(wire, now);
        }
    }

    fn post_close(&mut self, wire: &mut Wire, now: Instant) {
        self.unsent.push_back("1".to_owned());
        wire.send_to_server(ToServer::Post(join(&mem::take(&mut self.unsent))), now);
    }

    fn flush(&mut self, wire: &mut Wire, now: Instant) {
        if self.unsent.is_empty() {
            return;
        }
        match self.session.writable() {
            Some(Transport::Polling) => {
                self.session.handle_post();
                self.post = Post::Pending;
                let body = join(&mem::take(&mut self.unsent));
                wire.send_to_server(ToServer::Post(body), now);
            }
            Some(Transport::WebSocket) => {
                for text in mem::take(&mut self.unsent) {
                    wire.send_to_server(ToServer::Frame(Frame::Text(text)), now);
                }
            }
            None => {}
        }
    }
}

fn join(packets: &VecDeque<String>) -> String {
    let mut body = Vec::new();
    for packet in packets {
        payload::push(&mut body, packet.as_bytes());
    }
    String::from_utf8(body).expect("packets are text")
}

fn encode(packet: &Packet) -> String {
    let mut out = Vec::new();
    packet.encode_text(&mut out);
    String::from_utf8(out).expect("packets are text")
}

//! The loop: accept, read, append to the log, send.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use clap::ValueEnum;
use fanfare_proto::websocket::{OpCode, encode_frame};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use socket2::{Domain, Socket, Type};

use crate::client::{Client, Stage};
use crate::holds::Holds;
use crate::incoming::{Incoming, incoming};
use crate::log::Log;
use crate::pings::Pings;

/// How what is pending for a client is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Sending {
    /// Each message at once, with one send(2) for each client
    Write,
    /// At the end of each pass of the loop, with one send(2) for all that a client has yet to be sent
    Gather,
}

/// What is said, and when.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Play {
    /// At each join and leave, everybody is told how many are there
    Lesson,
    /// Everybody is told what anybody says
    Say,
}

pub(crate) struct Server {
    epoll: Epoll,
    listener: TcpListener,
    sending: Sending,
    play: Play,
    clients: Vec<Option<Client>>,
    free: Vec<usize>,
    log: Log,
    n_joined: usize,
    n_accepted: u64,
    pings: Pings,
    holds: Holds,
    /// Reused for what goes to one client.
    frame: Vec<u8>,
}

impl Server {
    pub(crate) fn bind(
        address: SocketAddr,
        sending: Sending,
        play: Play,
        ping_interval: Duration,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        // Accepted sockets inherit it.
        socket.set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(ACCEPT_BACKLOG)?;
        let listener = TcpListener::from(socket);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        Ok(Self {
            epoll,
            listener,
            sending,
            play,
            clients: Vec::new(),
            free: Vec::new(),
            log: Log::new(),
            n_joined: 0,
            n_accepted: 0,
            pings: Pings::every(ping_interval),
            holds: Holds::default(),
            frame: Vec::new(),
        })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut events = vec![EpollEvent::empty(); EVENTS_PER_PASS];
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        loop {
            let n_events = match self.epoll.wait(&mut events, self.pings.timeout()) {
                Ok(n_events) => n_events,
                Err(nix::Error::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            for event in &events[..n_events] {
                match event.data() {
                    LISTENER => self.accept()?,
                    slot => self.handle(slot as usize, event.events(), &mut buffer),
                }
            }
            self.ping();
            if !self.log.is_empty() {
                self.flush();
                self.trim();
            }
        }
    }

    fn ping(&mut self) {
        while let Some((slot, number)) = self.pings.next_due() {
            if let Some(client) = &self.clients[slot]
                && client.number == number
            {
                // One that has gone is about to be closed.
                let _ = client.send(PING);
                self.pings.add(slot, number);
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            let slot = self.free.pop().unwrap_or_else(|| {
                self.clients.push(None);
                self.clients.len() - 1
            });
            self.epoll
                .add(&stream, EpollEvent::new(interest(), slot as u64))?;
            self.n_accepted += 1;
            self.clients[slot] = Some(Client::new(stream, self.n_accepted));
        }
    }

    fn handle(&mut self, slot: usize, events: EpollFlags, buffer: &mut Vec<u8>) {
        let Some(client) = &mut self.clients[slot] else {
            return;
        };
        if events.contains(EpollFlags::EPOLLOUT) {
            client.handle_writable();
            client.catch_up(&self.log, self.sending);
        }
        if events.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP)
            && self.read(slot, buffer).is_err()
        {
            self.close(slot);
        }
    }

    fn read(&mut self, slot: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
        let client = self.clients[slot].as_mut().expect("it has an event");
        let mut rest = client.read(buffer).ok_or(ErrorKind::UnexpectedEof)?;
        if client.stage == Stage::Greeting {
            let greeted = client.greet(rest, slot, self.pings.interval())?;
            rest = &mut rest[greeted..];
        }
        if client.stage != Stage::Greeting {
            while let Some((message, length)) = incoming(rest)? {
                match message {
                    Incoming::Connect => self.join(slot)?,
                    Incoming::Say(packet) => self.broadcast(&[packet]),
                    Incoming::Burst(count, data) => self.burst(count, data),
                    Incoming::Echo(id, args) => {
                        let client = self.clients[slot].as_ref().expect("it has just been read");
                        self.frame.clear();
                        encode_frame(&mut self.frame, OpCode::Text, &[b"43", id, b"[", args]);
                        client.send(&self.frame)?;
                    }
                    Incoming::Held(id) => {
                        let mut digits = [0; MAX_DIGITS];
                        let longest_us = decimal(&mut digits, self.holds.longest_us());
                        let client = self.clients[slot].as_ref().expect("it has just been read");
                        self.frame.clear();
                        let answer = [b"43", id, b"[", longest_us, b"]"];
                        encode_frame(&mut self.frame, OpCode::Text, &answer);
                        client.send(&self.frame)?;
                    }
                    Incoming::Close => {
                        let client = self.clients[slot].as_ref().expect("it has just been read");
                        client.send(CLOSE)?;
                        return Err(ErrorKind::ConnectionReset.into());
                    }
                    Incoming::Other => {}
                }
                rest = &mut rest[length..];
            }
        }
        if let Some(client) = &mut self.clients[slot] {
            client.keep(rest);
        }
        Ok(())
    }

    fn join(&mut self, slot: usize) -> io::Result<()> {
        let client = self.clients[slot].as_mut().expect("it has just been read");
        if client.stage != Stage::Opened {
            return Ok(());
        }
        let packet = format!(r#"40{{"sid":"{slot}"}}"#);
        let mut frame = Vec::with_capacity(64);
        encode_frame(&mut frame, OpCode::Text, &[packet.as_bytes()]);
        client.send(&frame)?;
        client.follow(&self.log);
        let number = client.number;
        self.n_joined += 1;
        self.pings.add(slot, number);
        self.announce();
        Ok(())
    }

    fn close(&mut self, slot: usize) {
        let Some(client) = self.clients[slot].take() else {
            return;
        };
        self.free.push(slot);
        if client.stage.is_counted() {
            self.n_joined -= 1;
            self.announce();
        }
    }

    fn announce(&mut self) {
        if self.play == Play::Lesson {
            let mut digits = [0; MAX_DIGITS];
            let count = decimal(&mut digits, self.n_joined);
            self.broadcast(&[br#"42["user count","#, count, b"]"]);
        }
    }

    fn burst(&mut self, count: usize, data: &[u8]) {
        let mut digits = [0; MAX_DIGITS];
        for i in 0..count {
            self.broadcast(&[br#"42["say","#, decimal(&mut digits, i), b",", data, b"]"]);
        }
    }

    /// Tells all who have joined; in a gathered pass, at its end.
    fn broadcast(&mut self, parts: &[&[u8]]) {
        if !self.log.push(parts) {
            self.flush();
            self.cut_blocked();
            self.log.clear();
            assert!(self.log.push(parts), "a message fits into an empty log");
        }
        match self.sending {
            Sending::Write => self.flush(),
            Sending::Gather => {}
        }
    }

    fn flush(&mut self) {
        self.holds.begin();
        for client in self.clients.iter_mut().flatten() {
            client.catch_up(&self.log, self.sending);
            self.holds.count_send();
        }
    }

    fn trim(&mut self) {
        if !self
            .clients
            .iter()
            .flatten()
            .any(|client| client.stage == Stage::Blocked)
        {
            self.log.clear();
        }
    }

    fn cut_blocked(&mut self) {
        for slot in 0..self.clients.len() {
            if matches!(&self.clients[slot], Some(client) if client.stage == Stage::Blocked) {
                self.clients[slot] = None;
                self.free.push(slot);
                self.n_joined -= 1;
            }
        }
    }
}

/// Writes `number` into `digits`, and returns the part that it takes.
fn decimal(digits: &mut [u8; MAX_DIGITS], mut number: usize) -> &[u8] {
    let mut start = MAX_DIGITS;
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

fn interest() -> EpollFlags {
    EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET
}

/// Engine.IO's ping, in a frame.
const PING: &[u8] = b"\x81\x012";
/// The answer to a Close frame.
const CLOSE: &[u8] = b"\x88\x00";
/// What epoll calls the listener; all other names are slots.
const LISTENER: u64 = u64::MAX;
/// The generator has 256 joins under way; the default of 128 would cost some of them a second for another SYN.
const ACCEPT_BACKLOG: i32 = 4096;
/// What one pass gathers at most, in the worst case, is the answer to this many events.
const EVENTS_PER_PASS: usize = 1024;
const READ_BUFFER_BYTES: usize = 64 << 10;
const MAX_DIGITS: usize = 20;

//! Micro-benchmarks: the parts of a delivery each for itself, for `cargo xtask bench --counts`, which counts their instructions.
//!
//! As tests they do their work as often as `FANFARE_TIMES` says, once without it; `cargo xtask bench --counts` counts them.

use std::{env, hint::black_box, io::IoSlice, sync::Arc, time::Instant};

use bytes::Bytes;
use fanfare_proto::{
    socketio::{self, Nsp},
    websocket::{OpCode, Reader, Role, encode_masked_frame},
};

use crate::{
    args::Args,
    backlog::Backlog,
    broadcast::Select,
    config::Config,
    draft::Draft,
    frame,
    members::Members,
    outbox::{Outbox, Sink},
    ranges::{Keep, Lane, Lanes, Range, Ranges},
    recovery::Trailer,
    rooms::Watching,
    slots::SlotId,
    socket_id::SocketId,
};

/// Members of the namespace, in ten rooms.
const MEMBERS: u32 = 1_000;
const EIGHT_KB_OF_PEOPLE: u32 = 260;

fn repeat(mut work: impl FnMut()) {
    let times = env::var("FANFARE_TIMES").ok();
    let times: u32 = times.map_or(1, |times| times.parse().expect("a number"));
    for _ in 0..times {
        work();
    }
}

fn text() -> String {
    "x".repeat(128)
}

fn encoded(config: &Config, text: &str) -> Vec<u8> {
    let (nsp, args) = (Nsp::default(), Args((7, text)));
    frame::event(config, &nsp, None, Trailer::None, "say", args).expect("it is JSON")
}

/// Everybody, and each in one of ten rooms.
fn members() -> (Members, Vec<(SlotId, SocketId)>) {
    let mut members = Members::default();
    let mut all = Vec::new();
    for number in 0..MEMBERS {
        let mut random = [0; 15];
        random[..4].copy_from_slice(&number.to_le_bytes());
        let (slot, id) = (SlotId::first(number), SocketId::new(random));
        members.join(slot, id);
        members.join_room(
            slot,
            id,
            &format!("room {}", number % 10),
            Watching::default(),
        );
        all.push((slot, id));
    }
    (members, all)
}

fn room(number: usize) -> Arc<str> {
    format!("room {number}").into()
}

#[test]
fn encode_an_event() {
    let (config, text) = (Config::default(), text());
    repeat(|| drop(black_box(encoded(&config, &text))));
}

/// Eight kilobytes in which a compressor finds what it finds in a list of people.
#[test]
fn compress_an_event() {
    let config = Config::default();
    let people = (0..EIGHT_KB_OF_PEOPLE).map(|n| format!("guest {n} came from 10.0.{n}.7; "));
    let plain = encoded(&config, &String::from_iter(people));
    assert!((8_000..8_400).contains(&plain.len()), "{}", plain.len());
    repeat(|| {
        let draft = Draft::deflated(plain.clone(), Trailer::None, 1_024);
        let deflated = draft.encoded().deflated.map(<[u8]>::len);
        assert!(black_box(deflated).is_some_and(|bytes| 4 * bytes < plain.len()));
    });
}

#[test]
fn read_a_frame() {
    let limits = Config::default().limits.proto;
    let mut frame = Vec::new();
    let packet = format!(r#"42["say",7,"{}"]"#, text());
    encode_masked_frame(&mut frame, OpCode::Text, &[packet.as_bytes()], [1, 2, 3, 4]);
    let mut reader = Reader::new(Role::Server, &limits);
    repeat(|| {
        let message = reader.read(&mut &frame[..]);
        assert!(black_box(message).is_ok_and(|message| message.is_some()));
    });
}

#[test]
fn decode_an_event() {
    let limits = Config::default().limits.proto;
    let packet = format!(r#"2["say",7,"{}"]"#, text());
    repeat(|| {
        let decoded = socketio::Packet::decode(black_box(&packet), &limits);
        assert!(black_box(decoded).is_ok());
    });
}

#[test]
fn select_one_room_of_a_hundred() {
    let (members, _) = members();
    let select = Select {
        rooms: [room(3)].into_iter().collect(),
        ..Select::default()
    };
    repeat(|| members.for_each(black_box(&select), |slot| _ = black_box(slot)));
}

#[test]
fn select_two_rooms_but_one_of_a_hundred_each() {
    let (members, all) = members();
    let select = Select {
        rooms: [room(3), room(4)].into_iter().collect(),
        except: [room(5)].into_iter().collect(),
        but: Some(all[3].1),
        ..Select::default()
    };
    repeat(|| members.for_each(black_box(&select), |slot| _ = black_box(slot)));
}

#[test]
fn join_a_room_and_leave_it() {
    let (mut members, all) = members();
    let (slot, id) = all[0];
    repeat(|| {
        members.join_room(slot, id, "room 9", Watching::default());
        members.leave_room(slot, id, "room 9", Watching::default());
    });
}

#[test]
fn outbox_keeps_a_turn_and_gives_it_to_its_task() {
    let config = Config::default();
    let frames = Bytes::from(encoded(&config, &text()));
    let mut ranges = Ranges::default();
    ranges.push(Range {
        lane: Lane::Open,
        start: 0,
        end: u32::try_from(frames.len()).expect("it is short"),
        keep: Keep::Event,
    });
    let lanes = Lanes {
        open: frames,
        ..Lanes::default()
    };
    let now = Instant::now();
    let mut outbox = Outbox::new(Sink::Task);
    repeat(|| {
        black_box(outbox.deliver(&ranges, &lanes, &config, now));
        black_box(outbox.take_for_task(now));
        outbox.task_has_written(now);
    });
}

#[test]
fn backlog_takes_and_gives_an_event() {
    let config = Config::default();
    let frames = Bytes::from(encoded(&config, &text()));
    let now = Instant::now();
    let mut backlog = Backlog::new(now);
    repeat(|| {
        backlog.push(frames.clone(), None);
        let mut slices = [IoSlice::new(&[]); 16];
        black_box(backlog.slices(&mut slices));
        backlog.advance(frames.len(), now);
    });
}

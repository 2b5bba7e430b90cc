//! What others write is read, what is written is what they read, and nothing makes it panic.

use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use fanfare::{Answer, AskId, Manner, Question, RawArgs, SocketId, SocketState, Targets, Worth};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngSeed},
};
use serde_json::{Value, json};

use super::*;

const OWN: &str = "aaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbb";

fn wire(uid: &str) -> Wire {
    Wire {
        uid: uid.into(),
        channels: Channels::new("socket.io"),
        responses: Responses::Shared,
    }
}

fn hex(text: &str) -> Bytes {
    let text: String = text.split_whitespace().collect();
    HEXLOWER.decode(text.as_bytes()).expect("hex").into()
}

fn args(json: &str) -> RawArgs {
    RawArgs {
        json: json.to_owned(),
        attachments: Vec::new(),
    }
}

fn targets(rooms: &[&str], except: &[&str]) -> Targets {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Targets {
        rooms: names(rooms),
        except: names(except),
    }
}

fn emit(event: &str, args: RawArgs) -> Message {
    Message::Emit {
        nsp: "/".to_owned(),
        to: Targets::default(),
        event: event.to_owned(),
        args,
        manner: Worth::Event.into(),
    }
}

fn messages(source: Source, payload: impl Into<Bytes>) -> Vec<Message> {
    let decoded = wire(OWN).decode(source, "/", &payload.into());
    let message = |inbound| match inbound {
        Inbound::Message(message) => message,
        Inbound::Reply(reply) => panic!("{reply:?}"),
    };
    let decoded = decoded.expect("it is of this wire");
    decoded.into_iter().map(message).collect()
}

fn request(json: &Value) -> Vec<Message> {
    messages(Source::Requests, json.to_string())
}

/// What a node of another maker is told.
fn replied(request: &Value, answer: Answer) -> Option<(String, Bytes)> {
    let asked = messages(Source::Requests, request.to_string()).pop();
    let Some(Message::Ask { nsp, id, .. }) = asked else {
        panic!("{asked:?}");
    };
    let to = id;
    let reply = wire(OWN).encode_reply(&Reply {
        from: Some(OWN.into()),
        nsp,
        to,
        answer,
    });
    let reply = reply.expect("it has a form")?;
    Some((reply.channel, reply.payload.into()))
}

fn json_of(payload: &Bytes) -> Value {
    let (json, _) = text::read(payload).expect("it can be read");
    serde_json::from_str(&json).expect("JSON")
}

/// What the reference publishes for `io.emit("user count", 3)`.
const USER_COUNT: &str =
    "93 a64f346a364667 83 a474797065 02 a464617461 92 aa7573657220636f756e74 03
    a36e7370 a12f 83 a5726f6f6d73 90 a6657863657074 90 a5666c616773 80";

#[test]
fn an_event_has_the_references_bytes() {
    let event = emit("user count", args("3"));
    assert_eq!(
        messages(Source::Broadcasts, hex(USER_COUNT)),
        std::slice::from_ref(&event)
    );
    let Publication { channel, payload } = wire("O4j6Fg").encode(&event).unwrap();
    assert_eq!(channel, "socket.io#/#");
    assert_eq!(HEXLOWER.encode(&payload), HEXLOWER.encode(&hex(USER_COUNT)));
}

#[test]
fn the_nodes_own_and_what_is_of_another_namespace_is_not_heard() {
    let own = wire(OWN).encode(&emit("e", args(""))).unwrap().payload;
    assert_eq!(messages(Source::Broadcasts, own), []);
    let other = wire(OTHER).decode(Source::Broadcasts, "/chat", &hex(USER_COUNT));
    assert_eq!(other.unwrap(), []);
    let own = json!({"uid": OWN, "type": 6, "data": ["e"]});
    assert_eq!(request(&own), []);
}

#[test]
fn both_dialects_of_dates_undefined_and_buffers_are_read() {
    for (value, json) in [
        ("d6ff 00000001", r#""1970-01-01T00:00:01.000Z""#),
        ("d7ff 7735940000000001", r#""1970-01-01T00:00:01.500Z""#),
        (
            "c70cff 1dcd6500 0000000000000001",
            r#""1970-01-01T00:00:01.500Z""#,
        ),
        ("d700 00000000000005dc", r#""1970-01-01T00:00:01.500Z""#),
        ("d40000", "null"),
        ("c0", "null"),
        ("c7020007 08", r#"{"_placeholder":true,"num":0}"#),
        ("c4020708", r#"{"_placeholder":true,"num":0}"#),
    ] {
        let payload = format!("93 a161 82 a474797065 02 a464617461 92 a165 {value} 80");
        let [Message::Emit { args, .. }] = &messages(Source::Broadcasts, hex(&payload))[..] else {
            panic!("{value}");
        };
        assert_eq!(args.json, json, "{value}");
        let binary = args.attachments.iter().flatten().copied();
        let expected: &[u8] = if json.starts_with('{') { &[7, 8] } else { &[] };
        assert_eq!(binary.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn an_event_may_have_as_many_buffers_as_there_are_bytes_for() {
    for (n, buffer) in [(40, vec![7; 8]), (1000, Vec::new())] {
        let placeholders = (0..n).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#));
        let many = RawArgs {
            json: placeholders.collect::<Vec<_>>().join(","),
            attachments: vec![Bytes::from(buffer); n],
        };
        let event = emit("e", many);
        let payload = wire(OTHER).encode(&event).unwrap().payload;
        assert_eq!(messages(Source::Broadcasts, payload), [event]);
    }
}

#[test]
fn the_emitters_forms_are_read() {
    let payload = "93 a7656d6974746572 83 a474797065 02 a464617461 91 a165 a36e7370 a12f
        83 a5726f6f6d73 91 a172 a5666c616773 81 a8766f6c6174696c65 c3 a6657863657074 91 07";
    let Message::Emit { to, manner, .. } = &messages(Source::Broadcasts, hex(payload))[0] else {
        panic!("it is an event");
    };
    assert_eq!(*to, targets(&["r"], &["7"]));
    assert_eq!(manner.worth, Worth::Volatile);
    let joined =
        request(&json!({"type": 2, "opts": {"rooms": ["a"], "except": []}, "rooms": ["b", "c"]}));
    let join = |room: &str| Message::Join {
        nsp: "/".to_owned(),
        of: targets(&["a"], &[]),
        room: room.to_owned(),
    };
    assert_eq!(joined, [join("b"), join("c")]);
    let gone = request(&json!({"type": 4, "opts": {"rooms": [], "except": ["a"]}, "close": true}));
    let disconnect = Message::Disconnect {
        nsp: "/".to_owned(),
        of: targets(&[], &["a"]),
        closes: true,
    };
    assert_eq!(gone, [disconnect]);
    let told = request(&json!({"uid": "emitter", "type": 6, "data": ["e", 1, "two"]}));
    let tell = Message::ServerSide {
        nsp: "/".to_owned(),
        event: "e".to_owned(),
        args: args(r#"1,"two""#),
    };
    assert_eq!(told, [tell]);
}

#[test]
fn older_forms_are_read_and_answered_by_who_has_the_socket() {
    let older = json!({"requestId": "abcdef", "type": 2, "sid": "s", "room": 5});
    let messages = request(&older);
    let join = Message::Join {
        nsp: "/".to_owned(),
        of: targets(&["s"], &[]),
        room: "5".to_owned(),
    };
    assert_eq!(messages[0], join);
    assert_eq!(replied(&older, Answer::Sockets(Vec::new())), None);
    let (channel, payload) = replied(&older, Answer::Sockets(vec![state()])).expect("it has it");
    assert_eq!(channel, "socket.io-response#/#");
    assert_eq!(json_of(&payload), json!({"requestId": "abcdef"}));
    let ids = json!({"uid": "abcdef", "requestId": "ghijkl", "type": 0, "rooms": ["r"]});
    let (_, payload) = replied(&ids, Answer::Sockets(vec![state()])).expect("it answers");
    let expected = json!({"requestId": "ghijkl", "sockets": ["cccccccccccccccccccc"]});
    assert_eq!(json_of(&payload), expected);
    let gone = request(&json!({"type": 4, "sid": "s", "close": false}));
    assert!(matches!(&gone[..], [Message::Disconnect { of, .. }] if *of == targets(&["s"], &[])));
}

#[test]
fn a_request_that_lacks_something_never_means_everyone() {
    for wrong in [
        json!({"type": 2, "rooms": ["r"]}),
        json!({"type": 4, "close": true}),
        json!({"uid": "a", "requestId": "b", "type": 5}),
        json!({"uid": "a", "type": 5, "opts": {}}),
        json!({"uid": "a", "type": 6}),
        json!({"uid": "a", "type": 6, "data": []}),
        json!({"uid": "a", "requestId": "b", "type": 7}),
        json!({"uid": "a", "requestId": "b", "type": 7, "packet": {"type": 1}}),
        json!({"uid": "a", "type": 77}),
        json!({"uid": "a"}),
        json!([]),
    ] {
        let decoded = wire(OWN).decode(Source::Requests, "/", &wrong.to_string().into());
        assert!(decoded.is_err(), "{wrong}: {decoded:?}");
    }
}

fn state() -> SocketState {
    SocketState {
        id: "cccccccccccccccccccc".parse().unwrap(),
        rooms: vec!["r".to_owned()],
        user: Some("ann".to_owned()),
        shared: json!({"name": "ann"}),
        address: Some("127.0.0.1:5".to_owned()),
        issued: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
        is_secure: false,
        url: "/socket.io/?EIO=4&t=x%20y".to_owned(),
        headers: vec![("host".to_owned(), "h".to_owned())],
        auth: json!({}),
    }
}

#[test]
fn a_socket_looks_as_nodes_expect_it() {
    let fetch = json!({"uid": "abcdef", "requestId": "ghijkl", "type": 5, "opts": {"rooms": [], "except": []}});
    let (channel, payload) = replied(&fetch, Answer::Sockets(vec![state()])).expect("it answers");
    assert_eq!(channel, "socket.io-response#/#");
    let answer = json_of(&payload);
    let expected = json!({
        "id": "cccccccccccccccccccc",
        "handshake": {
            "headers": {"host": "h"},
            "time": "Thu Jan 01 1970 00:00:01 GMT+0000 (Coordinated Universal Time)",
            "address": "127.0.0.1",
            "xdomain": false,
            "secure": false,
            "issued": 1500,
            "url": "/socket.io/?EIO=4&t=x%20y",
            "query": {"EIO": "4", "t": "x y"},
            "auth": {},
        },
        "rooms": ["cccccccccccccccccccc", "r"],
        "data": {"name": "ann"},
        "fanfare": {"user": "ann", "has_shared": true, "address": "127.0.0.1:5"},
    });
    assert_eq!(
        answer,
        json!({"requestId": "ghijkl", "sockets": [expected]})
    );
}

#[test]
fn nodes_are_told_how_many_were_asked_then_each_first_answer() {
    let ask = json!({
        "uid": "abcdef",
        "requestId": "ghijkl",
        "type": 7,
        "packet": {"type": 2, "data": ["e", 1]},
        "opts": {"rooms": [], "except": [], "flags": {"timeout": 250}},
    });
    let Message::Ask { question, .. } = &request(&ask)[0] else {
        panic!("it asks");
    };
    let expected = Question::Emit {
        to: Targets::default(),
        event: "e".to_owned(),
        args: args("1"),
        is_plain: false,
        patience: Duration::from_millis(250),
    };
    assert_eq!(*question, expected);
    let id: SocketId = state().id;
    let (_, payload) = replied(&ask, Answer::Asked(vec![id])).expect("it answers");
    assert_eq!(
        payload,
        r#"{"type":8,"requestId":"ghijkl","clientCount":1}"#
    );
    let (_, payload) = replied(&ask, Answer::Acked(Some(id), args("5,6"))).expect("it answers");
    assert_eq!(HEXLOWER.encode(&payload[..7]), "83a47479706509");
    assert_eq!(
        json_of(&payload),
        json!({"type": 9, "requestId": "ghijkl", "packet": 5})
    );
    assert_eq!(replied(&ask, Answer::Left(id)), None);
}

#[test]
fn what_other_makers_answer_is_read() {
    let read = |payload: Bytes| {
        let mut decoded = wire(OWN).decode(Source::Responses, "/", &payload).unwrap();
        decoded.pop()
    };
    let reply = |answer| {
        Some(Inbound::Reply(Reply {
            from: None,
            nsp: "/".to_owned(),
            to: AskId {
                node: OWN.into(),
                request: "7".into(),
            },
            answer,
        }))
    };
    let id = format!("{OWN}:7");
    let json = |value: Value| read(value.to_string().into());
    assert_eq!(json(json!({"requestId": "abcdef", "sockets": []})), None);
    assert_eq!(
        json(json!({"requestId": id})),
        reply(Answer::Sockets(Vec::new()))
    );
    assert_eq!(
        json(json!({"requestId": id, "rooms": ["a", 1]})),
        reply(Answer::Rooms(vec!["a".to_owned(), "1".to_owned()]))
    );
    assert_eq!(
        json(json!({"requestId": id, "type": 8, "clientCount": 3})),
        reply(Answer::AskedUnnamed(3))
    );
    assert_eq!(
        json(json!({"requestId": id, "type": 9, "packet": "x"})),
        reply(Answer::Acked(None, args(r#""x""#)))
    );
    assert_eq!(
        json(json!({"requestId": id, "type": 6, "data": {"a": 1}})),
        reply(Answer::ServerSide(Some(args(r#"{"a":1}"#))))
    );
    let answered = json(json!({"requestId": id, "sockets": [
        {"id": "cccccccccccccccccccc", "rooms": ["cccccccccccccccccccc", "r"], "data": {"a": 1},
         "handshake": {"issued": 7, "headers": {"set-cookie": ["a", "b"]}, "url": "/"}},
        {"id": "other"},
    ]}));
    let expected = SocketState {
        user: None,
        shared: json!({"a": 1}),
        address: None,
        issued: SystemTime::UNIX_EPOCH + Duration::from_millis(7),
        url: "/".to_owned(),
        headers: ["a", "b"]
            .map(|value| ("set-cookie".to_owned(), value.to_owned()))
            .into(),
        ..state()
    };
    assert_eq!(answered, reply(Answer::Sockets(vec![expected])));
}

#[test]
fn a_value_as_deep_as_a_client_may_send_survives() {
    let deep = format!("{}{}", "[".repeat(125), "]".repeat(125));
    let event = emit("e", args(&deep));
    let payload = wire(OTHER).encode(&event).unwrap().payload;
    assert_eq!(messages(Source::Broadcasts, payload), [event]);
}

#[test]
fn halves_of_surrogate_pairs_become_replacement_characters() {
    let payload = wire(OTHER)
        .encode(&emit("e", args(r#""\ud800!""#)))
        .unwrap()
        .payload;
    assert_eq!(
        messages(Source::Broadcasts, payload),
        [emit("e", args("\"\u{FFFD}!\""))]
    );
}

fn any_targets() -> impl Strategy<Value = Targets> {
    (vec(".{0,9}", 0..3), vec(".{0,9}", 0..3)).prop_map(|(rooms, except)| Targets { rooms, except })
}

/// Arguments in the form in which they come back, with attachments in their order.
fn any_args() -> impl Strategy<Value = RawArgs> {
    let values = vec(
        prop_oneof![
            any::<i64>().prop_map(|n| json!(n)),
            any::<String>().prop_map(|s| json!([s]))
        ],
        0..3,
    );
    (values, vec(any::<Vec<u8>>(), 0..3)).prop_map(|(values, data)| {
        let mut texts: Vec<_> = values.iter().map(Value::to_string).collect();
        texts.extend((0..data.len()).map(|n| format!(r#"{{"_placeholder":true,"num":{n}}}"#)));
        RawArgs {
            json: texts.join(","),
            attachments: data.into_iter().map(Bytes::from).collect(),
        }
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    let nsp = || "/".to_owned();
    let worth = prop_oneof![
        Just(Worth::Event),
        Just(Worth::Latest),
        Just(Worth::Volatile)
    ];
    let manner = (worth, any::<bool>()).prop_map(|(worth, is_plain)| Manner { worth, is_plain });
    prop_oneof![
        (any_targets(), any::<String>(), any_args(), manner).prop_map(
            move |(to, event, args, manner)| {
                Message::Emit {
                    nsp: nsp(),
                    to,
                    event,
                    args,
                    manner,
                }
            }
        ),
        (any_targets(), any::<String>()).prop_map(move |(of, room)| Message::Join {
            nsp: nsp(),
            of,
            room
        }),
        (any_targets(), any::<String>()).prop_map(move |(of, room)| Message::Leave {
            nsp: nsp(),
            of,
            room
        }),
        (any_targets(), any::<bool>()).prop_map(move |(of, closes)| Message::Disconnect {
            nsp: nsp(),
            of,
            closes
        }),
        (any::<String>(), any_args()).prop_map(move |(event, args)| Message::ServerSide {
            nsp: nsp(),
            event,
            args
        }),
    ]
}

fn any_question() -> impl Strategy<Value = Question> {
    prop_oneof![
        any_targets().prop_map(Question::Sockets),
        Just(Question::Rooms),
        (any::<String>(), any_args())
            .prop_map(|(event, args)| Question::ServerSide { event, args }),
        (
            any_targets(),
            any::<String>(),
            any_args(),
            any::<bool>(),
            0_u64..3_600_000
        )
            .prop_map(|(to, event, args, is_plain, ms)| Question::Emit {
                to,
                event,
                args,
                is_plain,
                patience: Duration::from_millis(ms),
            }),
    ]
}

fn any_answer() -> impl Strategy<Value = (Question, Answer)> {
    let sockets = Question::Sockets(Targets::default());
    let emit = Question::Emit {
        to: Targets::default(),
        event: "e".to_owned(),
        args: RawArgs::default(),
        is_plain: false,
        patience: Duration::ZERO,
    };
    let server_side = Question::ServerSide {
        event: "e".to_owned(),
        args: RawArgs::default(),
    };
    let id = "[A-Za-z0-9_-]{20}".prop_map(|id| id.parse::<SocketId>().unwrap());
    let state = (
        id.clone(),
        vec("[a-z]{1,9}", 0..3),
        any::<Option<String>>(),
        any::<bool>(),
    )
        .prop_map(|(id, rooms, user, is_bare)| SocketState {
            id,
            rooms,
            user,
            shared: if is_bare { Value::Null } else { json!({}) },
            address: (!is_bare).then(String::new),
            ..state()
        });
    let (emit2, emit3) = (emit.clone(), emit.clone());
    prop_oneof![
        vec(state, 0..3).prop_map(move |states| (sockets.clone(), Answer::Sockets(states))),
        vec(any::<String>(), 0..3).prop_map(|rooms| (Question::Rooms, Answer::Rooms(rooms))),
        vec(id.clone(), 0..3).prop_map(move |ids| (emit.clone(), Answer::Asked(ids))),
        (id.clone(), any_args())
            .prop_map(move |(id, args)| (emit2.clone(), Answer::Acked(Some(id), args))),
        id.prop_map(move |id| (emit3.clone(), Answer::Left(id))),
        proptest::option::of(any_args())
            .prop_map(move |args| (server_side.clone(), Answer::ServerSide(args))),
    ]
}

/// The same cases in each run, and no files of failures.
fn properties() -> Config {
    Config {
        rng_seed: RngSeed::Fixed(0x666e_6672),
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn fanfare_reads_all_that_fanfare_says(message in any_message()) {
        let payload = wire(OTHER).encode(&message).unwrap().payload;
        let source = match message {
            Message::Emit { .. } => Source::Broadcasts,
            _ => Source::Requests,
        };
        prop_assert_eq!(messages(source, payload), [message]);
    }

    #[test]
    fn fanfare_reads_all_that_fanfare_asks_and_answers(
        asked in any_question(),
        (question, answer) in any_answer(),
    ) {
        for (asked, answer) in [(asked, None), (question, Some(answer))] {
            let own = AskId { node: OWN.into(), request: "7".into() };
            let ask = Message::Ask { nsp: "/".to_owned(), id: own.clone(), question: asked.clone() };
            let payload = wire(OWN).encode(&ask).unwrap().payload.into();
            let mut heard = wire(OTHER).decode(Source::Requests, "/", &payload).unwrap();
            let Some(Inbound::Message(Message::Ask { nsp, id, question })) = heard.pop() else {
                panic!("it asks");
            };
            prop_assert_eq!(question, asked);
            let Some(answer) = answer else { continue };
            let from = Some(OTHER.into());
            let reply = Reply { from, nsp, to: id, answer };
            let published = wire(OTHER).encode_reply(&reply).unwrap().expect("fanfare reads all");
            prop_assert_eq!(published.channel, format!("socket.io-response#/#{OWN}#"));
            let mut heard = wire(OWN).decode(Source::Responses, "/", &published.payload.into()).unwrap();
            prop_assert_eq!(heard.pop(), Some(Inbound::Reply(Reply { to: own, ..reply })));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(payload in vec(any::<u8>(), 0..300)) {
        for source in [Source::Broadcasts, Source::Requests, Source::Responses] {
            drop(wire(OWN).decode(source, "/", &payload.clone().into()));
        }
    }

    #[test]
    fn no_change_of_a_good_message_makes_it_panic(
        message in any_message(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut payload = wire(OTHER).encode(&message).unwrap().payload;
        let at = at.index(payload.len());
        payload[at] = byte;
        for source in [Source::Broadcasts, Source::Requests, Source::Responses] {
            drop(wire(OWN).decode(source, "/", &payload.clone().into()));
        }
    }
}

//! Packets in MessagePack: what the official parser writes, what goes back, and what is refused.

use bytes::Bytes;
use data_encoding::HEXLOWER_PERMISSIVE;
use fanfare_proto::{
    Limits,
    socketio::{AckId, Assembled, Nsp, Packet, Violation, msgpack},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::vectors::properties;

fn bytes(hex: &str) -> Bytes {
    let hex: String = hex.split_whitespace().collect();
    HEXLOWER_PERMISSIVE
        .decode(hex.as_bytes())
        .expect("hex")
        .into()
}

fn decode(hex: &str) -> Result<Assembled, Violation> {
    msgpack::decode(&bytes(hex), &Limits::default())
}

fn nsp(name: &str) -> Nsp {
    name.parse().expect("a valid name")
}

#[track_caller]
fn check(hex: &str, packet: Packet, attachments: &[&'static [u8]]) {
    let attachments = attachments
        .iter()
        .map(|data| Bytes::from_static(data))
        .collect();
    assert_eq!(
        decode(hex),
        Ok(Assembled {
            packet,
            attachments
        })
    );
}

#[track_caller]
fn check_refused(hex: &str, violation: Violation) {
    assert_eq!(decode(hex), Err(violation), "{hex}");
}

fn event(id: Option<u64>, name: &str, event: &str, args: &str, attachments: usize) -> Packet {
    Packet::Event {
        nsp: nsp(name),
        id: id.map(AckId),
        event: Some(event.to_owned()),
        args: args.to_owned(),
        attachments,
    }
}

/// The bytes are those that socket.io-msgpack-parser 3.0.2 wrote.
#[test]
fn what_the_official_parser_writes_is_read() {
    check(
        "83a47479706502a46461746192aa7573657220636f756e7403a36e7370a12f",
        event(None, "/", "user count", "3", 0),
        &[],
    );
    // The key `options` means nothing here.
    check(
        "85a47479706502a46461746192a16181a1789901ffcd012cd1fed4ce00011170cf000000012a05f200cb3ff8000000000000c3c0
         a2696407a36e7370a62f61646d696ea76f7074696f6e7381a8636f6d7072657373c3",
        event(
            Some(7),
            "/admin",
            "a",
            r#"{"x":[1,-1,300,-300,70000,5000000000,1.5,true,null]}"#,
            0,
        ),
        &[],
    );
    check(
        "83a47479706500a464617461d40000a36e7370a12f",
        Packet::Connect {
            nsp: Nsp::main(),
            data: None,
        },
        &[],
    );
    check(
        "83a47479706500a46461746181a5746f6b656ea2c3a9a36e7370a12f",
        Packet::Connect {
            nsp: Nsp::main(),
            data: Some(r#"{"token":"é"}"#.to_owned()),
        },
        &[],
    );
    check(
        "82a47479706501a36e7370a22f78",
        Packet::Disconnect { nsp: nsp("/x") },
        &[],
    );
    check(
        "84a47479706503a46461746191c4020102a2696400a36e7370a12f",
        Packet::Ack {
            nsp: Nsp::main(),
            id: Some(AckId(0)),
            args: r#"{"_placeholder":true,"num":0}"#.to_owned(),
            attachments: 1,
        },
        &[&[1, 2]],
    );
    check(
        "84a47479706503a46461746190a26964cd012ca36e7370a12f",
        Packet::Ack {
            nsp: Nsp::main(),
            id: Some(AckId(300)),
            args: String::new(),
            attachments: 0,
        },
        &[],
    );
    check(
        "83a47479706504a46461746181a76d657373616765a26e6fa36e7370a12f",
        Packet::ConnectError {
            nsp: Nsp::main(),
            data: Some(r#"{"message":"no"}"#.to_owned()),
        },
        &[],
    );
}

/// `undefined`, a date, an `ArrayBuffer` of three bytes and one of one, an object with `undefined` and a `Buffer`,
/// `NaN` and 0, by the same parser.
#[test]
fn values_that_json_has_not_become_what_javascript_makes_of_them() {
    check(
        "83a47479706502a46461746198a176d40000d7000000011f71fb04cbc70300010203c701000982a175d40000a162c4026869
         cb7ff800000000000000a36e7370a12f",
        event(
            None,
            "/",
            "v",
            concat!(
                r#"null,"2009-02-13T23:31:30.123Z",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},"#,
                r#"{"b":{"_placeholder":true,"num":2}},null,0"#
            ),
            3,
        ),
        &[&[1, 2, 3], &[9], b"hi"],
    );
}

#[test]
fn what_is_no_packet_is_refused() {
    use Violation as V;
    for (hex, violation) in [
        ("", V::InvalidMessagePack),
        ("c0", V::InvalidMessagePack),
        ("80", V::UnknownType),
        ("c1", V::InvalidMessagePack),
        // A byte too many, one too few, and a key that is none.
        ("82a47479706501a36e7370a12f00", V::InvalidMessagePack),
        ("82a47479706501a36e7370a1", V::InvalidMessagePack),
        ("8101a36e73", V::InvalidMessagePack),
        // Type 5, -1, 1.0 and none.
        ("82a47479706505a36e7370a12f", V::UnknownType),
        ("82a474797065ffa36e7370a12f", V::UnknownType),
        ("82a474797065cb3ff0000000000000a36e7370a12f", V::UnknownType),
        ("81a36e7370a12f", V::UnknownType),
        // No namespace, one that is a number, one without a slash.
        ("81a47479706501", V::IllegalNsp),
        ("82a47479706501a36e737005", V::IllegalNsp),
        ("82a47479706501a36e7370a178", V::IllegalNsp),
        // An ack id that is -1, and one that is text.
        (
            "84a47479706503a46461746190a26964ffa36e7370a12f",
            V::IllegalAckId,
        ),
        (
            "84a47479706503a46461746190a26964a130a36e7370a12f",
            V::IllegalAckId,
        ),
        // Payloads of another kind.
        ("83a47479706500a46461746190a36e7370a12f", V::ConnectPayload),
        ("83a47479706500a464617461c0a36e7370a12f", V::ConnectPayload),
        (
            "83a47479706501a46461746190a36e7370a12f",
            V::DisconnectPayload,
        ),
        ("83a47479706502a46461746180a36e7370a12f", V::EventPayload),
        ("82a47479706502a36e7370a12f", V::EventPayload),
        ("83a47479706503a464617461a161a36e7370a12f", V::AckPayload),
        (
            "83a47479706504a46461746190a36e7370a12f",
            V::ConnectErrorPayload,
        ),
        // Names that are no names; and the one that the reference lets through.
        ("83a47479706502a46461746191c3a36e7370a12f", V::EventName),
        ("83a47479706502a46461746191c40101a36e7370a12f", V::EventName),
        (
            "83a47479706502a46461746191aa646973636f6e6e656374a36e7370a12f",
            V::ReservedEventName,
        ),
        // Invalid UTF-8, an unknown extension, and an object that would pass for binary data.
        (
            "83a47479706502a46461746191a1ffa36e7370a12f",
            V::InvalidMessagePack,
        ),
        (
            "83a47479706502a46461746191d40100a36e7370a12f",
            V::InvalidMessagePack,
        ),
        (
            "83a47479706502a46461746192a16181ac5f706c616365686f6c646572c3a36e7370a12f",
            V::IllegalPlaceholder,
        ),
    ] {
        check_refused(hex, violation);
    }
    let empty = Packet::Event {
        nsp: Nsp::main(),
        id: None,
        event: None,
        args: String::new(),
        attachments: 0,
    };
    check("83a47479706502a46461746190a36e7370a12f", empty, &[]);
}

/// An event whose arguments are `data`, raw.
fn event_of(data: &[u8]) -> Bytes {
    let mut out = bytes("83a47479706502a36e7370a12fa464617461").to_vec();
    out.extend_from_slice(data);
    out.into()
}

#[test]
fn what_it_announces_it_must_have() {
    let limits = Limits::default();
    for huge in [
        "dd ffffffff",
        "df ffffffff",
        "92a161dbffffffff",
        "92a161c6ffffffff",
        "92a161c9ffffffff00",
    ] {
        let refused = msgpack::decode(&event_of(&bytes(huge)), &limits);
        assert_eq!(refused, Err(Violation::InvalidMessagePack), "{huge}");
    }
    // Maps in maps, whose announced lengths multiply.
    let mut bomb = vec![0x92, 0xa1, b'a'];
    bomb.extend([0xdf, 0x7f, 0xff, 0xff, 0xff].repeat(1_000));
    let refused = msgpack::decode(&event_of(&bomb), &limits);
    assert_eq!(refused, Err(Violation::InvalidMessagePack));
}

#[test]
fn values_nest_so_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let mut data = vec![0x92, 0xa1, b'a'];
        data.extend(vec![0x91; depth]);
        data.push(0xc0);
        msgpack::decode(&event_of(&data), &Limits::default())
    };
    assert!(nested(100).is_ok());
    assert_eq!(nested(127), Err(Violation::InvalidMessagePack));
    assert_eq!(nested(900_000), Err(Violation::InvalidMessagePack));
}

#[test]
fn binary_values_are_bounded_in_proportion() {
    let many = |n: u16, data: &[u8]| {
        let mut all = vec![0xdc];
        all.extend((n + 1).to_be_bytes());
        all.extend([0xa1, b'a']);
        all.extend(data.repeat(n.into()));
        msgpack::decode(&event_of(&all), &Limits::default())
    };
    assert_eq!(
        many(10, &[0xc4, 0]).map(|all| all.attachments.len()),
        Ok(10)
    );
    assert_eq!(many(1_000, &[0xc4, 0]), Err(Violation::TooManyAttachments));
    let mut data = vec![0xc4, 70];
    data.extend([7; 70]);
    assert_eq!(
        many(1_000, &data).map(|all| all.attachments.len()),
        Ok(1_000)
    );
}

#[test]
fn packets_are_written_with_their_data_last() {
    let written = |packet: &Packet| {
        let mut out = Vec::new();
        msgpack::encode(&mut out, packet).expect("it is JSON");
        HEXLOWER_PERMISSIVE.encode(&out)
    };
    assert_eq!(
        written(&Packet::Disconnect { nsp: nsp("/x") }),
        "82a47479706501a36e7370a22f78"
    );
    let connect = Packet::Connect {
        nsp: Nsp::main(),
        data: Some(r#"{"sid":"a"}"#.to_owned()),
    };
    assert_eq!(
        written(&connect),
        "83a47479706500a36e7370a12fa46461746181a3736964a161"
    );
    let count = event(Some(7), "/", "user count", r#"3,-1,1.5,"x""#, 0);
    assert_eq!(
        written(&count),
        "84a47479706502a36e7370a12fa2696407a46461746195aa7573657220636f756e7403ffcb3ff8000000000000a178"
    );
    let mut out = Vec::new();
    let args = r#"{"num":1,"_placeholder":true},{"_placeholder":true,"num":2},{"_placeholder":false,"num":0}"#;
    let data = [Bytes::from_static(b"a"), Bytes::from_static(b"bc")];
    msgpack::encode_ack(&mut out, &Nsp::main(), AckId(0), args, &data).expect("it is JSON");
    let hex = HEXLOWER_PERMISSIVE.encode(&out);
    assert!(hex.contains("93c4026263"), "the first is binary: {hex}");
    let back = msgpack::decode(&out.into(), &Limits::default());
    // Of the others the first has no attachment: to its reader it would be a lie.
    assert_eq!(back, Err(Violation::IllegalPlaceholder));
}

#[test]
fn what_is_no_json_is_not_written() {
    for args in ["[", "1 2", r#""\ud800""#] {
        let written = msgpack::encode_event(&mut Vec::new(), &Nsp::main(), None, "e", args, &[]);
        assert!(written.is_err(), "{args}");
    }
}

#[test]
fn any_value_is_read_and_written_alone() {
    let check = |hex: &str, json: &str, attachments: usize| {
        let read = msgpack::decode_value(&bytes(hex), &Limits::default());
        let (text, data) = read.unwrap_or_else(|wrong| panic!("{hex}: {wrong}"));
        assert_eq!((&*text, data.len()), (json, attachments), "{hex}");
        let mut out = Vec::new();
        msgpack::encode_value(&mut out, &text, &data).unwrap();
        assert_eq!(
            msgpack::decode_value(&out.into(), &Limits::default()).unwrap(),
            (text, data)
        );
    };
    check("07", "7", 0);
    check("93c0c2a161", r#"[null,false,"a"]"#, 0);
    check("81a161c40107", r#"{"a":{"_placeholder":true,"num":0}}"#, 1);
    // Timestamps of all three lengths.
    check("d6ff00000001", r#""1970-01-01T00:00:01.000Z""#, 0);
    check("d7ff7735940000000001", r#""1970-01-01T00:00:01.500Z""#, 0);
    check(
        "c70cff1dcd6500ffffffffffffffff",
        r#""1969-12-31T23:59:59.500Z""#,
        0,
    );
    check("c70cff000000007fffffffffffffff", "null", 0);
    for wrong in [
        "",
        "0707",
        "91",
        "d40000",
        "d6fe00000001",
        "c70bff0000000000000000000000",
    ] {
        let read = msgpack::decode_value(&bytes(wrong), &Limits::default());
        assert!(read.is_err(), "{wrong}: {read:?}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(n)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 40, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..40).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(properties())]

    #[test]
    fn what_is_written_is_read(
        values in proptest::collection::vec(value(), 0..4),
        data in proptest::collection::vec(any::<Vec<u8>>(), 0..4),
        id in any::<Option<u64>>(),
    ) {
        let mut args = values;
        args.extend((0..data.len()).map(|num| json!({"_placeholder": true, "num": num})));
        let json: Vec<_> = args.iter().map(Value::to_string).collect();
        let data: Vec<Bytes> = data.into_iter().map(Bytes::from).collect();
        let mut out = Vec::new();
        let main = Nsp::main();
        msgpack::encode_event(&mut out, &main, id.map(AckId), "e", &json.join(","), &data).unwrap();
        let Assembled { packet, attachments } = msgpack::decode(&out.into(), &Limits::default()).unwrap();
        let Packet::Event { id: read_id, event, args: read, .. } = packet else { panic!("{packet:?}") };
        prop_assert_eq!((read_id, event.as_deref(), attachments), (id.map(AckId), Some("e"), data));
        let read: Value = serde_json::from_str(&format!("[{read}]")).unwrap();
        prop_assert_eq!(read, Value::from(args));
    }

    #[test]
    fn no_bytes_make_it_panic(message in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(msgpack::decode(&message.clone().into(), &Limits::default()));
        drop(msgpack::decode(&event_of(&message), &Limits::default()));
        drop(msgpack::decode_value(&message.into(), &Limits::default()));
    }
}

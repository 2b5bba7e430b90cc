//! rust_socketio, driven line by line: see lib/driven.mjs. Takes URL, namespace, transports and auth.

use std::{error::Error, io::stdin, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rust_socketio::{ClientBuilder, Event, Payload, RawClient, TransportType};
use serde_json::{Value, json};

/// Longer than any test waits.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, namespace, transports, auth] = words.as_slice() else {
        return Err("it takes URL, namespace, transports and auth".into());
    };
    let client = ClientBuilder::new(url)
        .namespace(namespace)
        .transport_type(match transports.as_str() {
            "polling" => TransportType::Polling,
            "websocket" => TransportType::Websocket,
            _ => TransportType::WebsocketUpgrade,
        })
        .auth(serde_json::from_str(auth)?)
        .reconnect(true)
        .reconnect_delay(50, 200)
        .on(Event::Connect, |_, _| say("connect", Value::Null))
        .on(Event::Close, |_, _| say("disconnect", json!("close")))
        .on(Event::Error, |error, _| {
            say("error", json!({ "message": packed(error) }));
        })
        .on_any(|event, payload, _| {
            say("event", prefixed(json!(event.as_str()), payload));
        })
        .connect()?;
    for line in stdin().lines() {
        let told: Value = serde_json::from_str(&line?)?;
        if told.get("leave").is_some() {
            client.disconnect()?;
            break;
        }
        if let Some([number, event, args @ ..]) = told["ask"].as_array().map(Vec::as_slice) {
            let number = number.clone();
            let answered = move |answer, _: RawClient| say("answer", answer_to(&number, answer));
            let event = event.as_str().unwrap_or_default();
            client.emit_with_ack(event, payload(args)?, PATIENCE, answered)?;
        } else if let Some([event, args @ ..]) = told["emit"].as_array().map(Vec::as_slice) {
            client.emit(event.as_str().unwrap_or_default(), payload(args)?)?;
        }
    }
    Ok(())
}

fn say(what: &str, value: Value) {
    println!("{}", json!({ what: value }));
}

/// One binary value alone, or values of JSON: the library sends no mixture.
fn payload(args: &[Value]) -> Result<Payload, Box<dyn Error>> {
    match args {
        [Value::Object(object)] if object.contains_key("$bytes") => {
            let text = object["$bytes"].as_str().unwrap_or_default();
            Ok(BASE64_STANDARD.decode(text)?.into())
        }
        args => Ok(args.to_vec().into()),
    }
}

/// The list of all arguments.
fn packed(payload: Payload) -> Value {
    match payload {
        Payload::Text(values) => values.into(),
        Payload::Binary(bytes) => json!([{ "$bytes": BASE64_STANDARD.encode(bytes) }]),
        other => json!([format!("{other:?}")]),
    }
}

fn prefixed(first: Value, payload: Payload) -> Value {
    let mut all = vec![first];
    if let Value::Array(values) = packed(payload) {
        all.extend(values);
    }
    all.into()
}

/// The library hands an answer over as one list of all arguments.
fn answer_to(number: &Value, answer: Payload) -> Value {
    match packed(answer) {
        Value::Array(values) if values.len() == 1 && values[0].is_array() => prefixed(
            number.clone(),
            Payload::Text(values[0].as_array().cloned().unwrap_or_default()),
        ),
        values => json!([number, values]),
    }
}

//! Heard: what a page is told, event by event, and what it is answered.

use fanfare_testkit::Client;
use serde_json::Value;

/// The next event, and its argument.
pub(crate) async fn event(client: &mut Client) -> (String, Value) {
    loop {
        let text = client.hear().await;
        if let Some(packet) = text.strip_prefix("42") {
            return serde_json::from_str(packet).unwrap_or_else(|_| panic!("{text}"));
        }
        assert!(text.starts_with("43"), "{text}");
    }
}

/// The next event of this name; others are passed over.
pub(crate) async fn next(client: &mut Client, wanted: &str) -> Value {
    loop {
        let (event, argument) = event(client).await;
        if event == wanted {
            return argument;
        }
    }
}

/// Asks something; gives the answer. What comes in between is passed over.
pub(crate) async fn ask(client: &mut Client, event: &str, argument: impl Into<Value>) -> Value {
    let question = Value::from(vec![Value::from(event), argument.into()]);
    client.send(&format!("4299{question}")).await;
    loop {
        if let Some((99, answer)) = answer(&client.hear().await) {
            return answer;
        }
    }
}

/// The answer that a packet is, and which question it answers.
pub(crate) fn answer(text: &str) -> Option<(u64, Value)> {
    let packet = text.strip_prefix("43")?;
    let (id, answer) = packet.split_at(packet.find('[')?);
    let [answer] = serde_json::from_str::<[Value; 1]>(answer).ok()?;
    Some((id.parse().ok()?, answer))
}

/// Waits until the server disconnects the page's socket.
pub(crate) async fn is_ended(client: &mut Client) {
    while client.hear().await != "41" {}
}

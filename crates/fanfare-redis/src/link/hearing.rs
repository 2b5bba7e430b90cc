//! The connection for what is subscribed to: made, proved by the canary, and made again.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use redis::{
    Msg, RedisError,
    aio::{PubSub, PubSubSink},
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::{
    CANARY_PATIENCE, Link,
    backoff::Backoff,
    subscriptions::{Change, Name},
};

/// Why nothing is heard any more.
#[derive(Debug, thiserror::Error)]
enum Deaf {
    #[error(transparent)]
    Failed(#[from] RedisError),
    #[error("Redis gave no answer in time")]
    Timeout,
    #[error("the connection has ended")]
    Ended,
    #[error("what this node sent itself has not come back")]
    Canary,
}

pub(super) async fn run(link: Link) {
    let mut backoff = Backoff::default();
    loop {
        let why = tokio::select! {
            why = hear(&link, &mut backoff) => why,
            () = link.0.closed() => return,
        };
        link.0.lock().forget_confirmed();
        link.0.state.set_hearing(false);
        link.0.state.fail("subscriptions", &why);
        tokio::select! {
            () = sleep(backoff.pause()) => {}
            () = link.0.closed() => return,
        }
    }
}

/// From the beginning of a connection to its end; returns why it ended.
async fn hear(link: &Link, backoff: &mut Backoff) -> Deaf {
    match connect(link).await {
        Ok(pubsub) => match listen(link, pubsub, backoff).await {
            Ok(()) => Deaf::Ended,
            Err(deaf) => deaf,
        },
        Err(deaf) => deaf,
    }
}

async fn connect(link: &Link) -> Result<PubSub, Deaf> {
    let connecting = timeout(link.0.patience, link.0.client.get_async_pubsub());
    let pubsub = connecting.await.map_err(|_| Deaf::Timeout)?;
    Ok(pubsub?)
}

async fn listen(link: &Link, pubsub: PubSub, backoff: &mut Backoff) -> Result<(), Deaf> {
    let (mut sink, mut stream) = pubsub.split();
    adjust(link, &mut sink).await?;
    // One that was under way before may have come on another connection, or not at all.
    *link.0.flying() = None;
    link.0.fly_now.notify_one();
    let mut looks = interval(GLANCE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = stream.next() => match message {
                Some(message) => {
                    backoff.reset();
                    deliver(link, &message);
                }
                None => return Ok(()),
            },
            () = link.0.resubscribe.notified() => adjust(link, &mut sink).await?,
            _ = looks.tick() => {
                let since: Option<Instant> = *link.0.flying();
                if since.is_some_and(|since| CANARY_PATIENCE < since.elapsed()) {
                    return Err(Deaf::Canary);
                }
            }
        }
    }
}

fn deliver(link: &Link, message: &Msg) {
    let channel = message.get_channel_name();
    let name = match message.from_pattern() {
        true => Name::pattern(&message.get_pattern::<String>().unwrap_or_default()),
        false => Name::channel(channel),
    };
    let ear = link.0.lock().ear(&name);
    // Without one it has been unsubscribed meanwhile.
    if let Some(ear) = ear {
        ear.hear(channel, Bytes::copy_from_slice(message.get_payload_bytes()));
    }
}

/// Makes the subscriptions what they should be.
async fn adjust(link: &Link, sink: &mut PubSubSink) -> Result<(), Deaf> {
    let change = link.0.lock().change();
    let adjusting = timeout(
        link.0.patience.min(CANARY_PATIENCE),
        carry_out(sink, &change),
    );
    adjusting.await.map_err(|_| Deaf::Timeout)??;
    if link.0.lock().confirm(change) {
        link.0.confirmed.send_modify(|n| *n += 1);
    }
    Ok(())
}

async fn carry_out(sink: &mut PubSubSink, change: &Change) -> Result<(), RedisError> {
    for names in change.unsubscribe.channels.chunks(AT_ONCE) {
        sink.unsubscribe(names).await?;
    }
    for names in change.unsubscribe.patterns.chunks(AT_ONCE) {
        sink.punsubscribe(names).await?;
    }
    for names in change.subscribe.channels.chunks(AT_ONCE) {
        sink.subscribe(names).await?;
    }
    for names in change.subscribe.patterns.chunks(AT_ONCE) {
        sink.psubscribe(names).await?;
    }
    Ok(())
}

/// How many names stand in one command: it keeps Redis from others for a millisecond at most.
const AT_ONCE: usize = 1_000;

/// Between two looks whether the canary is late.
const GLANCE: Duration = Duration::from_millis(250);

//! The connection for commands: made, proved by the canary, and made again.

use redis::{AsyncConnectionConfig, RedisError, Value, aio::MultiplexedConnection};
use tokio::time::{Instant, sleep, timeout};

use super::{CANARY_INTERVAL, CANARY_PATIENCE, Commands, Link, LinkError, backoff::Backoff};

pub(super) async fn run(link: Link) {
    let mut backoff = Backoff::default();
    let mut number = 0;
    loop {
        let why = tokio::select! {
            why = connected(&link, number, &mut backoff) => why,
            () = link.0.closed() => return,
        };
        number += 1;
        link.0.state.set_speaking(false);
        // Whether anything is heard, the next canary will show.
        *link.0.flying() = None;
        link.0.state.set_hearing(false);
        link.0.state.fail("commands", &why);
        tokio::select! {
            () = sleep(backoff.pause()) => {}
            () = link.0.closed() => return,
        }
    }
}

/// From the beginning of a connection to its end; returns why it ended.
async fn connected(link: &Link, number: u64, backoff: &mut Backoff) -> LinkError {
    let connection = match connect(link).await {
        Ok(connection) => connection,
        Err(wrong) => return wrong,
    };
    backoff.reset();
    link.0
        .commands
        .send_replace(Some(Commands { number, connection }));
    link.0.state.set_speaking(true);
    loop {
        if let Err(wrong @ (LinkError::Unreachable | LinkError::Timeout(_))) = fly(link).await {
            link.0.give_up(number);
            // That is ours: whoever waits next waits for the next connection.
            link.0.broken.notified().await;
            return wrong;
        }
        tokio::select! {
            () = sleep(CANARY_INTERVAL) => {}
            () = link.0.fly_now.notified() => {}
            () = link.0.broken.notified() => return LinkError::Unreachable,
        }
    }
}

async fn connect(link: &Link) -> Result<MultiplexedConnection, LinkError> {
    let patience = link.0.patience;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(patience))
        // Each command has a deadline of its own.
        .set_response_timeout(None);
    let connecting = link
        .0
        .client
        .get_multiplexed_async_connection_with_config(&config);
    let connection = timeout(patience, connecting).await;
    let connection: Result<_, RedisError> = connection.map_err(|_| LinkError::Timeout(patience))?;
    let mut connection = connection.map_err(LinkError::Refused)?;
    let asking = timeout(patience, is_replica(&mut connection));
    match asking.await.map_err(|_| LinkError::Timeout(patience))? {
        true => Err(LinkError::Replica),
        false => Ok(connection),
    }
}

/// Whether Redis says so; some do not let everybody ask.
async fn is_replica(connection: &mut MultiplexedConnection) -> bool {
    let role = redis::cmd("ROLE").query_async::<Value>(connection).await;
    role.is_ok_and(|role| names_replica(&role))
}

/// The first that `ROLE` answers is `master`, or `slave`, or `sentinel`.
fn names_replica(role: &Value) -> bool {
    let Value::Array(parts) = role else {
        return false;
    };
    parts.first().is_some_and(|name| match name {
        Value::BulkString(name) => name == b"slave",
        Value::SimpleString(name) => name == "slave",
        _ => false,
    })
}

/// Lets a canary fly.
async fn fly(link: &Link) -> Result<(), LinkError> {
    let mut commands = link.commands()?;
    let mut publish = redis::cmd("PUBLISH");
    publish.arg(&link.0.canary).arg("");
    let answer = publish.query_async::<u64>(&mut commands.connection);
    // Before it flies: it may be back sooner than the answer.
    link.0.flying().get_or_insert_with(Instant::now);
    let answer = timeout(CANARY_PATIENCE, answer).await;
    link.judge(commands.number, CANARY_PATIENCE, answer)?;
    Ok(())
}

//! Acks both ways: a client asks and is answered, and the server asks clients, with patience.
//!
//! `cargo run --example acks` (`PORT` changes the port), then, in Node or two pages:
//!
//! ```js
//! const socket = io('http://127.0.0.1:3000');
//! socket.on('question', (text, answer) => answer(text.endsWith('?')));
//! socket.emit('add', 1, 2, sum => console.log(sum));
//! socket.emit('ask the others', 'Tea?', votes => console.log(votes));
//! ```

use std::time::Duration;

use fanfare::{Ack, AckError, Args, Config, Io, Origins, Result, Socket};
use futures_util::future::join_all;
use serde::Serialize;

/// How long a client may think before its vote is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What became of a question.
#[derive(Default, Serialize)]
struct Votes {
    yes: usize,
    no: usize,
    /// Did not answer within [`PATIENCE`].
    late: usize,
    /// Left without an answer.
    left: usize,
    /// Answered something else than `true` or `false`: what was wrong with it.
    spoilt: Vec<String>,
    /// Could not be asked.
    unasked: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    // No cookie is trusted here, so pages of every origin may connect.
    let io = Io::with(Config {
        origins: Origins::Any,
        ..Config::default()
    });
    // Who sends something else than two numbers is answered `{ error: … }`.
    io.on(
        "add",
        |_: Socket, Args((a, b)): Args<(f64, f64)>, ack: Ack| async move {
            ack.send(a + b);
        },
    );
    io.on(
        "ask the others",
        |socket: Socket, question: String, ack: Ack| async move {
            // This socket's next event waits meanwhile, so nobody has two questions under way.
            ack.send(ask_others(&socket, &question).await);
        },
    );
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    io.listen(format!("127.0.0.1:{port}")).await
}

/// Asks everyone but `socket`, all at once.
async fn ask_others(socket: &Socket, question: &str) -> Votes {
    let others = socket.io().sockets().into_iter();
    let others = others.filter(|other| other.id() != socket.id());
    let answers = others.map(|other| other.emit_with_ack("question", question, PATIENCE));
    let mut votes = Votes::default();
    for answer in join_all(answers).await {
        match answer {
            Ok(true) => votes.yes += 1,
            Ok(false) => votes.no += 1,
            Err(AckError::Timeout) => votes.late += 1,
            Err(AckError::Disconnected) => votes.left += 1,
            Err(AckError::Args(error)) => votes.spoilt.push(error.to_string()),
            Err(_) => votes.unasked += 1,
        }
    }
    votes
}

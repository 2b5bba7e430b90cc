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

use fanfare::{Ack, AckError, Args, BroadcastAckError, Config, Io, Origins, Result, Socket};
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
    let others = socket.broadcast();
    let asked = others.emit_with_ack::<bool, _>("question", question, PATIENCE);
    let (answers, missing) = match asked.await {
        Ok(answers) => (answers, Vec::new()),
        Err(BroadcastAckError::Missing {
            answers, missing, ..
        }) => (answers, missing),
        Err(_) => {
            return Votes {
                unasked: others.count(),
                ..Votes::default()
            };
        }
    };
    let yes = answers.iter().filter(|(_, is_yes)| *is_yes).count();
    let mut votes = Votes {
        yes,
        no: answers.len() - yes,
        ..Votes::default()
    };
    for (_, why) in missing {
        match why {
            AckError::Timeout => votes.late += 1,
            AckError::Disconnected => votes.left += 1,
            AckError::Args(error) => votes.spoilt.push(error.to_string()),
            _ => votes.unasked += 1,
        }
    }
    votes
}

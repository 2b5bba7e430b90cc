//! fanfare as one node of a cluster. Who is in its namespace `/control` tells it what to do in `/` and `/chat`: what
//! `peers.mjs` asks of it, and Node's server does there directly.
//!
//! It prints where it listens. `REDIS` is the URL of the Redis, `PREFIX` what the cluster's channels begin with.

use std::{
    env,
    io::{Write as _, stdout},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use fanfare::{
    Ack, Admission, Args, Binary, Broadcast, BroadcastAckError, ClusterError, Config, Io, Refusal,
    RemoteSocket, Socket, SocketId,
};
use fanfare_redis::RedisAdapter;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let adapter = RedisAdapter::new(&env::var("REDIS")?)?.with_prefix(env::var("PREFIX")?);
    let io = Io::with(Config {
        adapter: Some(Arc::new(adapter)),
        ..Config::default()
    });
    for io in [&io, &io.of("/chat")] {
        io.admit(|_| async {
            Admission::user("ann")
                .with_shared(json!({ "maker": "fanfare" }))
                .map_err(|_| Refusal::new("no JSON"))
        });
        io.on_server_side("told", |io, value: Value| async move {
            io.local().emit("told", value);
        });
        io.on_server_side("greet", |_, name: String| async move {
            format!("fanfare greets {name}")
        });
    }
    obey(&io);
    let listener = io.bind("127.0.0.1:0").await?;
    writeln!(stdout(), "listening on http://{}", listener.local_addr())?;
    listener.serve(Router::new()).await;
    Ok(())
}

/// Does what it is told.
fn obey(io: &Io) {
    on(io, "emit", |io, select, value: Value| async move {
        match select.volatile {
            true => select.of(&io).volatile().emit("said", value),
            false => select.of(&io).emit("said", value),
        };
    });
    on(
        io,
        "emit binary",
        |io, select, (value, bytes): (Value, Binary)| async move {
            select.of(&io).emit("said", Args((value, bytes)));
        },
    );
    on(io, "join", |io, select, room: String| async move {
        select.of(&io).join(room);
    });
    on(io, "leave", |io, select, room: String| async move {
        select.of(&io).leave(room);
    });
    on(io, "end", |io, select, (): ()| async move {
        select.of(&io).disconnect();
    });
    on(io, "tell", |io, select, value: Value| async move {
        io.of(&select.nsp).server_side_emit("told", value);
    });
    on(
        io,
        "ask",
        |io, select, (question, ms): (String, u64)| async move {
            let asked = select
                .of(&io)
                .emit_with_ack::<Value, _>("question", question, millis(ms));
            answers(asked.await)
        },
    );
    on(
        io,
        "ask nodes",
        |io, select, (name, ms): (String, u64)| async move {
            let io = io.of(&select.nsp);
            match io
                .server_side_emit_with_ack::<Value, _>("greet", name, millis(ms))
                .await
            {
                Ok(answers) => json!({ "answers": answers, "missing": 0 }),
                Err(ClusterError::Missing {
                    answers, missing, ..
                }) => {
                    json!({ "answers": answers, "missing": missing })
                }
                Err(wrong) => json!({ "wrong": wrong.to_string() }),
            }
        },
    );
    on(io, "count", |io, _, (): ()| async move {
        let count = io.count();
        json!({
            "sockets": count.sockets,
            "isComplete": count.complete,
            "uncounted": count.uncounted_nodes,
            "atLeast": count.at_least,
        })
    });
    on(io, "fetch", |io, select, (): ()| async move {
        match select.of(&io).fetch_sockets(PATIENCE).await {
            Ok(found) => found.iter().map(described).collect(),
            Err(wrong) => json!({ "wrong": wrong.to_string() }),
        }
    });
    on(
        io,
        "ask one",
        |io, select, (id, question): (String, String)| async move {
            let found = select
                .of(&io)
                .fetch_sockets(PATIENCE)
                .await
                .unwrap_or_default();
            let found = found.into_iter().find(|socket| socket.id().as_str() == id);
            let Some(socket) = found else {
                return json!("nobody has this id");
            };
            socket.emit("said", "to one");
            match socket
                .emit_with_ack::<Value, _>("question", question, PATIENCE)
                .await
            {
                Ok(answer) => answer,
                Err(wrong) => json!(wrong.to_string()),
            }
        },
    );
}

/// In `/control`: to whom, and with what, for what is done in other namespaces.
fn on<T, F, R>(io: &Io, event: &str, done: F)
where
    T: DeserializeOwned + Send + 'static,
    F: Fn(Io, Select, T) -> R + Send + Sync + 'static,
    R: Future<Output: Serialize + Send> + Send + 'static,
{
    let (control, io, done) = (io.of("/control"), io.clone(), Arc::new(done));
    control.on(
        event,
        move |_: Socket, Args((select, what)): Args<(Select, T)>, ack: Ack| {
            let (io, done) = (io.clone(), done.clone());
            async move { ack.send(done(io, select, what).await) }
        },
    );
}

/// To whom something is done.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Select {
    nsp: String,
    to: Vec<String>,
    except: Vec<String>,
    volatile: bool,
}

impl Default for Select {
    fn default() -> Self {
        Self {
            nsp: "/".to_owned(),
            to: Vec::new(),
            except: Vec::new(),
            volatile: false,
        }
    }
}

impl Select {
    fn of(&self, io: &Io) -> Broadcast {
        let everyone = io.of(&self.nsp).compress(true);
        let those = self.to.iter().fold(everyone, Broadcast::to);
        self.except.iter().fold(those, Broadcast::except)
    }
}

fn answers(asked: Result<Answers, BroadcastAckError<Value>>) -> Value {
    let told = |answers: Answers, missing: usize| {
        let named = answers.iter().filter(|(id, _)| id.is_some()).count();
        let answers: Vec<_> = answers.into_iter().map(|(_, answer)| answer).collect();
        json!({ "answers": answers, "named": named, "missing": missing })
    };
    match asked {
        Ok(answers) => told(answers, 0),
        Err(BroadcastAckError::Missing {
            answers, missing, ..
        }) => told(answers, missing.len()),
        Err(wrong) => json!({ "wrong": wrong.to_string() }),
    }
}

type Answers = Vec<(Option<SocketId>, Value)>;

fn described(socket: &RemoteSocket) -> Value {
    let state = socket.state();
    json!({
        "id": state.id,
        "rooms": state.rooms,
        "data": state.shared,
        "address": state.address,
        "auth": state.auth,
        "url": state.url,
    })
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// More than any answer takes.
const PATIENCE: Duration = Duration::from_secs(5);

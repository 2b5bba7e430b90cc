//! The handlers: those of `handlers.mjs`, in the same order.

use std::{collections::BTreeMap, future, time::Duration};

use fanfare::{
    Ack, Admission, Args, Binary, Broadcast, BroadcastAckError, Io, RawArgs, Refusal, Socket,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use crate::saw;

/// More than any answer takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long those are waited for who do not answer.
const NO_PATIENCE: Duration = Duration::from_secs(1);

/// Registers all namespaces of a setup.
pub(crate) fn register(io: &Io) {
    serve(io);
    serve(&io.of("/chat"));
    serve(&io.of_matching(|name| name.starts_with("/family-")));

    let refusing = io.of("/refusing");
    refusing.use_connect(|handshake| async move {
        match handshake.auth::<BTreeMap<String, Value>>() {
            Ok(auth) if auth.contains_key("welcome") => Ok(()),
            Ok(auth) if auth.contains_key("why") => Err(Refusal::new("not you")
                .with_data(json!({ "why": auth["why"] }))
                .unwrap_or_else(|_| Refusal::new("no data"))),
            _ => Err(Refusal::new("not you")),
        }
    });
    serve(&refusing);

    io.of("/never")
        .admit(|_| future::pending::<Result<Admission, Refusal>>());
}

fn serve(io: &Io) {
    notes(io);
    talk(io);
    rooms(io);
    ends(io);
}

/// What becomes of sockets.
fn notes(io: &Io) {
    io.on_connect(|_, socket| async move {
        saw(
            &tag(&socket),
            ("connection", socket.nsp(), socket.is_recovered()),
        );
    });
    io.on_disconnecting(|_, socket, reason, rooms| async move {
        saw(
            &tag(&socket),
            ("disconnecting", socket.nsp(), reason.as_str(), rooms),
        );
    });
    io.on_disconnect(|_, socket, reason| async move {
        saw(&tag(&socket), ("disconnect", socket.nsp(), reason.as_str()));
    });
    io.use_event(|_, event, _| async move {
        match &*event {
            "forbidden" => Err(Refusal::new("not this")),
            _ => Ok(()),
        }
    });
}

/// Between one client and the server.
fn talk(io: &Io) {
    io.on(
        "echo",
        |socket: Socket, args: RawArgs, ack: Ack| async move {
            if ack.is_wanted() {
                ack.send(args);
            } else {
                socket.emit("echo", args);
            }
        },
    );
    io.on("forbidden", |socket: Socket| async move {
        saw(&tag(&socket), "forbidden");
    });
    io.on("note", |socket: Socket, args: RawArgs| async move {
        let attachments: Vec<&[u8]> = args.attachments.iter().map(|bytes| &**bytes).collect();
        saw(&tag(&socket), ("note", &args.json, attachments));
    });
    io.on("auth", |socket: Socket, ack: Ack| async move {
        ack.send(socket.handshake().auth::<Box<RawValue>>().ok());
    });
    io.on("twice", |_: Socket, ack: Ack| async move {
        ack.send(1);
        ack.send(2);
    });
    io.on("many", |socket: Socket, count: u32| async move {
        for i in 0..count {
            socket.emit("one", i);
        }
    });
    io.on("values", |socket: Socket| async move {
        socket.emit(
            "values",
            Args((
                None::<()>,
                true,
                1.5,
                -7,
                "é€😀\n\"",
                Value::Array(Vec::new()),
            )),
        );
    });
    io.on("binary", |socket: Socket| async move {
        socket.emit(
            "binary",
            Args((Blobs::default(), "text", Binary::from(vec![5; 3]))),
        );
    });
    io.on("large", |socket: Socket| async move {
        socket.emit("large", "x".repeat(2_000));
    });
    io.on("volatile", |socket: Socket| async move {
        socket.volatile().emit("maybe", 1);
        socket.emit("surely", 2);
    });
    io.on("volatiles", |socket: Socket| async move {
        socket.volatile().emit("maybe", 1);
        socket.volatile().emit("maybe", 2);
    });
    io.on("ask me", |socket: Socket, question: String| async move {
        // Its answer is the same socket's next packet: whoever waits here never reads it.
        tokio::spawn(async move {
            let answer = socket
                .emit_with_ack::<RawArgs, _>("question", question, PATIENCE)
                .await;
            match answer {
                Ok(answer) => socket.emit("answered", answer),
                Err(_) => socket.emit("answered", None::<()>),
            };
        });
    });
}

#[derive(Serialize)]
struct Blobs {
    first: Binary,
    list: [Binary; 1],
}

impl Default for Blobs {
    fn default() -> Self {
        Self {
            first: Binary::from(vec![1, 2]),
            list: [Binary::from(vec![3, 4])],
        }
    }
}

/// Whom "tell" and "ask" reach.
#[derive(Deserialize)]
struct Whom {
    to: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
}

impl Whom {
    fn among(self, all: Broadcast) -> Broadcast {
        let some = self.to.iter().fold(all, Broadcast::to);
        self.except.iter().fold(some, Broadcast::except)
    }
}

/// Between many.
fn rooms(io: &Io) {
    io.on(
        "join",
        |socket: Socket, room: String, ack: Ack| async move {
            socket.join(room);
            ack.send(Args(()));
        },
    );
    io.on(
        "leave",
        |socket: Socket, room: String, ack: Ack| async move {
            socket.leave(room);
            ack.send(Args(()));
        },
    );
    io.on(
        "tell",
        |socket: Socket, Args((whom, what)): Args<(Whom, Value)>, ack: Ack| async move {
            whom.among(socket.io().local()).emit("told", what);
            ack.send(Args(()));
        },
    );
    io.on(
        "tell others",
        |socket: Socket, Args((whom, what)): Args<(Whom, Value)>, ack: Ack| async move {
            whom.among(socket.broadcast()).emit("told", what);
            ack.send(Args(()));
        },
    );
    io.on(
        "tell bytes",
        |socket: Socket, whom: Whom, ack: Ack| async move {
            whom.among(socket.io().local())
                .emit("told", Binary::from(vec![1, 2]));
            ack.send(Args(()));
        },
    );
    io.on("ask", |socket: Socket, whom: Whom| async move {
        ask(socket, whom, PATIENCE);
    });
    io.on("ask in vain", |socket: Socket, whom: Whom| async move {
        ask(socket, whom, NO_PATIENCE);
    });
    io.on("part", |socket: Socket, whom: Whom, ack: Ack| async move {
        whom.among(socket.io().local()).disconnect();
        ack.send(Args(()));
    });
}

fn ask(socket: Socket, whom: Whom, patience: Duration) {
    let asked = whom
        .among(socket.io().local())
        .emit_with_ack::<Value, _>("question", "all", patience);
    tokio::spawn(async move {
        let (answers, is_incomplete) = match asked.await {
            Ok(answers) => (answers, false),
            Err(BroadcastAckError::Missing { answers, .. }) => (answers, true),
            Err(_) => (Vec::new(), true),
        };
        let mut answers: Vec<Value> = answers.into_iter().map(|(_, answer)| answer).collect();
        answers.sort_by_key(Value::to_string);
        socket.emit("answers", Args((answers, is_incomplete)));
    });
}

/// Ends that the application makes.
fn ends(io: &Io) {
    io.on("disconnect me", |socket: Socket| async move {
        socket.disconnect();
    });
    io.on("close me", |socket: Socket| async move { socket.close() });
}

/// Whom something is told of: what a client has in one namespace is in order, what it has in several is not.
fn tag(socket: &Socket) -> String {
    let client = socket.handshake().query("tag").unwrap_or_default();
    match socket.nsp() {
        "/" => client,
        nsp => format!("{client} {nsp}"),
    }
}

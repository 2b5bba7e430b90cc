//! A chat on Node, as docs/migrating-from-node.md starts from it: two namespaces, rooms, middleware, answers both ways, recovery.

import { createServer } from "node:http";
import { Server } from "socket.io";

const PATIENCE_MS = 2_000;
const MAX_TEXT = 200;

const http = createServer();
const io = new Server(http, {
  connectionStateRecovery: {},
  cors: { origin: "*" },
});
const chat = io.of("/chat");
const board = io.of("/board");

// Who comes says a name.
chat.use((socket, next) => {
  const { name } = socket.handshake.auth;
  if (typeof name !== "string" || name === "") {
    next(new Error("a name is needed"));
    return;
  }
  socket.data.name = name;
  next();
});

// People may have several pages open, so they are counted by their names.
const pages = new Map();
const online = () => [chat.sockets.size, pages.size];
let telling;

// A crowd that comes at once is told of at most four times a second.
function count(name, change) {
  const left = (pages.get(name) ?? 0) + change;
  if (left > 0) {
    pages.set(name, left);
  } else {
    pages.delete(name);
  }
  telling ??= setTimeout(() => {
    telling = undefined;
    chat.emit("online", online());
  }, 250);
}

chat.on("connection", (socket) => {
  const { name } = socket.data;

  count(name, 1);
  socket.emit("online", online());
  if (!socket.recovered) {
    socket.emit("welcome", name);
    socket.broadcast.emit("came", name);
  }

  // Nobody is told of what is too long.
  socket.use(([event, said], next) => {
    if (event === "say" && said.text?.length > MAX_TEXT) {
      next(new Error("too long"));
      return;
    }
    next();
  });

  socket.on("enter", async (room, answer) => {
    socket.join(room);
    socket.to(room).emit("entered", { room, name });
    const members = await chat.in(room).fetchSockets();
    answer(members.map((member) => member.data.name).sort());
  });

  socket.on("leave", (room, answer) => {
    socket.leave(room);
    chat.to(room).emit("left", { room, name });
    answer("gone");
  });

  socket.on("say", ({ room, text }, answer) => {
    if (!socket.rooms.has(room)) {
      answer({ error: "enter first" });
      return;
    }
    chat.to(room).emit("said", { room, name, text });
    board.emit("said", { room, name, text });
    answer({ ok: true });
  });

  // Everyone else in the room has a vote.
  socket.on("vote", async (room, question, answer) => {
    let votes;
    try {
      votes = await socket.to(room).timeout(PATIENCE_MS).emitWithAck("question", question);
    } catch (error) {
      votes = error.responses;
    }
    answer(votes.filter((vote) => vote === true).length, votes.length);
  });

  // One question to the one who asks for it.
  socket.on("quiz", async (answer) => {
    try {
      const said = await socket.timeout(PATIENCE_MS).emitWithAck("question", "6 × 7?");
      answer(said === 42);
    } catch {
      answer(false);
    }
  });

  socket.on("disconnecting", () => {
    for (const room of socket.rooms) {
      if (room !== socket.id) {
        socket.to(room).emit("left", { room, name });
      }
    }
  });

  socket.on("disconnect", () => count(name, -1));
});

http.listen(Number(process.env.PORT ?? 3000), "127.0.0.1");

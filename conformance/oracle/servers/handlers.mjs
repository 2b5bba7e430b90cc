//! The handlers: those of `handlers.rs`, in the same order.

import { saw } from "./saw.mjs";

/** More than any answer takes. */
const PATIENCE_MS = 5_000;

/** How long those are waited for who do not answer. */
const NO_PATIENCE_MS = 1_000;

/** Registers all namespaces of a setup. */
export function register(io) {
  serve(io.of("/"));
  serve(io.of("/chat"));
  serve(io.of(/^\/family-/));

  const refusing = io.of("/refusing");
  refusing.use((socket, next) => {
    const { welcome, why } = socket.handshake.auth;
    if (welcome !== undefined) next();
    else if (why !== undefined) next(Object.assign(new Error("not you"), { data: { why } }));
    else next(new Error("not you"));
  });
  serve(refusing);

  io.of("/never").use(() => {});
}

function serve(namespace) {
  namespace.on("connection", (socket) => {
    notes(socket);
    talk(socket);
    rooms(socket);
    ends(socket);
  });
}

/** What becomes of sockets. */
function notes(socket) {
  const nsp = socket.nsp.name;
  saw(tag(socket), ["connection", nsp, socket.recovered]);
  socket.on("disconnecting", (reason) => {
    const rooms = [...socket.rooms].filter((room) => room !== socket.id);
    saw(tag(socket), ["disconnecting", nsp, reason, rooms]);
  });
  socket.on("disconnect", (reason) => saw(tag(socket), ["disconnect", nsp, reason]));
  socket.use(([event], next) => (event === "forbidden" ? next(new Error("not this")) : next()));
}

/** Between one client and the server. */
function talk(socket) {
  socket.on("echo", (...args) => {
    if (typeof args.at(-1) === "function") args.pop()(...args);
    else socket.emit("echo", ...args);
  });
  socket.on("forbidden", () => saw(tag(socket), "forbidden"));
  socket.on("note", (...args) => {
    const attachments = [];
    const json = args.map((arg) => JSON.stringify(withPlaceholders(arg, attachments))).join(",");
    saw(tag(socket), ["note", json, attachments]);
  });
  socket.on("auth", (ack) => ack(socket.handshake.auth));
  socket.on("twice", (ack) => {
    ack(1);
    ack(2);
  });
  socket.on("many", (count) => {
    for (let i = 0; i < count; i += 1) socket.emit("one", i);
  });
  socket.on("values", () => socket.emit("values", null, true, 1.5, -7, 'é€😀\n"', []));
  socket.on("binary", () => {
    const blobs = { first: Buffer.from([1, 2]), list: [Buffer.from([3, 4])] };
    socket.emit("binary", blobs, "text", Buffer.from([5, 5, 5]));
  });
  socket.on("large", () => socket.emit("large", "x".repeat(2_000)));
  socket.on("volatile", () => {
    socket.volatile.emit("maybe", 1);
    socket.emit("surely", 2);
  });
  socket.on("volatiles", () => {
    socket.volatile.emit("maybe", 1);
    socket.volatile.emit("maybe", 2);
  });
  socket.on("ask me", async (question) => {
    const answer = await socket.timeout(PATIENCE_MS).emitWithAck("question", question).catch(() => null);
    socket.emit("answered", answer);
  });
}

/** As the packet had it, before the parser put the attachments in. */
function withPlaceholders(value, attachments) {
  if (Buffer.isBuffer(value)) return { _placeholder: true, num: attachments.push([...value]) - 1 };
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => withPlaceholders(item, attachments));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withPlaceholders(item, attachments)]));
}

/** Between many. */
function rooms(socket) {
  const io = socket.nsp;
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack();
  });
  socket.on("leave", (room, ack) => {
    socket.leave(room);
    ack();
  });
  socket.on("tell", ({ to, except = [] }, what, ack) => {
    io.to(to).except(except).emit("told", what);
    ack();
  });
  socket.on("tell others", ({ to, except = [] }, what, ack) => {
    socket.to(to).except(except).emit("told", what);
    ack();
  });
  socket.on("tell bytes", ({ to, except = [] }, ack) => {
    io.to(to).except(except).emit("told", Buffer.from([1, 2]));
    ack();
  });
  socket.on("ask", ({ to, except = [] }) => ask(socket, io.to(to).except(except), PATIENCE_MS));
  socket.on("ask in vain", ({ to, except = [] }) => ask(socket, io.to(to).except(except), NO_PATIENCE_MS));
  socket.on("part", ({ to, except = [] }, ack) => {
    io.to(to).except(except).disconnectSockets();
    ack();
  });
}

function ask(socket, whom, patience) {
  whom.timeout(patience).emit("question", "all", (error, answers) => {
    const sorted = answers.toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
    socket.emit("answers", sorted, error !== null && error !== undefined);
  });
}

/** Ends that the application makes. */
function ends(socket) {
  socket.on("disconnect me", () => socket.disconnect());
  socket.on("close me", () => socket.disconnect(true));
}

/** Whom something is told of: what a client has in one namespace is in order, what it has in several is not. */
function tag(socket) {
  const { name } = socket.nsp;
  const client = socket.handshake.query.tag;
  return name === "/" ? client : `${client} ${name}`;
}

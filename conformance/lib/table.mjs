//! The table of docs/compatibility.md: what has been proven, and what a client cannot do and why.

import { MAKERS } from "./makers.mjs";

const ALL_WAYS = ["polling", "websocket", "upgrade"];

/** The columns. */
export const CLIENTS = Object.fromEntries(Object.entries(MAKERS).map(([key, { name }]) => [key, name]));

/** The rows, and over which ways to connect each of them means something. */
export const FEATURES = {
  connecting: { name: "connects", ways: ALL_WAYS },
  auth: { name: "a namespace with `auth`, and why it refuses", ways: ALL_WAYS },
  asking: { name: "is answered by the server", ways: ALL_WAYS },
  answering: { name: "answers the server", ways: ALL_WAYS },
  binary: { name: "binary data as an argument, both ways", ways: ALL_WAYS },
  nested: { name: "binary data deep in objects, in events and answers, both ways", ways: ALL_WAYS },
  rooms: { name: "rooms", ways: ALL_WAYS },
  order: { name: "1,000 events in order", ways: ALL_WAYS },
  volatile: { name: "volatile events", ways: ALL_WAYS },
  coding: { name: "compressed polls", ways: ["polling"] },
  deflate: { name: "compressed WebSockets", ways: ["websocket"] },
  restart: { name: "comes back after a restart of the server", ways: ALL_WAYS },
  recovery: { name: "connection state recovery", ways: ALL_WAYS },
};

const NO_CODING = "Its HTTP client asks for no compression.";
const NO_DEFLATE = "Its WebSocket offers no compression.";
const NO_RECOVERY = "It has no connection state recovery, which came with version 4.6 of the official client.";

/** What a client cannot do by itself, and why. */
export const LACKS = {
  node2: {
    auth: "Its protocol has no payload in a CONNECT.",
    coding: NO_CODING,
    recovery: NO_RECOVERY,
  },
  node3: { coding: NO_CODING, recovery: NO_RECOVERY },
  node4: { coding: NO_CODING },
  chromium: {},
  python: { deflate: NO_DEFLATE, recovery: NO_RECOVERY },
  rust: {
    answering: "It has no way to answer an event.",
    nested: "It takes one binary value as the only argument of an event, and none in an answer.",
    coding: NO_CODING,
    deflate: NO_DEFLATE,
    recovery: NO_RECOVERY,
  },
};

/** What has to be known of what a client can do. */
const NOTES = {
  python: { order: "Over polling it takes 16 packets at a time, unless `engineio.payload.Payload.max_decode_packets` says more, as in the tests." },
  rust: {
    binary: "Over WebSocket it cuts a message at each byte 0x1e, and none may have that.",
    asking: "It chooses ids of answers at random, below 999: of two that are under way together, one may be lost.",
  },
};

const BEGIN = "<!-- The table of clients: made by `cargo xtask test conformance --write-table`. -->";
const END = "<!-- The end of the table of clients. -->";

/** The table that `proven` gives, a list of `{ feature, client, way }`. Throws where neither a proof nor a reason is. */
export function render(proven) {
  const notes = [];
  const rows = Object.keys(FEATURES).map((feature) => {
    const cells = Object.keys(CLIENTS).map((client) => cell(proven, feature, client, notes));
    return [FEATURES[feature].name, ...cells];
  });
  const head = ["feature", ...Object.values(CLIENTS)];
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return [...lines, "", ...notes.map((note, index) => `${index + 1}. ${note}`)].join("\n");
}

function cell(proven, feature, client, notes) {
  const { ways } = FEATURES[feature];
  const reason = LACKS[client][feature];
  const done = ways.filter((way) => proven.some((proof) => proof.feature === feature && proof.client === client && proof.way === way));
  if (reason !== undefined) {
    if (done.length > 0) throw new Error(`${CLIENTS[client]} is said to lack '${feature}', and has proven it`);
    return `– ${mark(notes, reason)}`;
  }
  const open = ways.filter((way) => !done.includes(way));
  if (open.length > 0) throw new Error(`no test has proven '${feature}' with ${CLIENTS[client]} over ${open.join(", ")}`);
  const note = NOTES[client]?.[feature];
  return note === undefined ? "yes" : `yes ${mark(notes, note)}`;
}

/** The note's number; it gets one if it has none. */
function mark(notes, note) {
  if (!notes.includes(note)) notes.push(note);
  return `(${notes.indexOf(note) + 1})`;
}

/** The page with `table` between its markers. */
export function withTable(page, table) {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the page has no lines '${BEGIN}' and '${END}'`);
  return `${page.slice(0, begin)}${BEGIN}\n\n${table}\n\n${page.slice(end)}`;
}

//! Faults that are planted on the wire, between fanfare and us: who compares has to find each.

/** A fault: in answers of which setup, what it does to their bytes, and which exchange is wrong by it. */
export const FAULTS = [
  {
    name: "an answer with the id of another",
    setup: "plain",
    change: replaced('4312[1,"two"]', '4313[1,"two"]'),
    exchange: "an event and back: an answer",
  },
  {
    name: "an open packet with its keys in another order",
    setup: "websocket",
    change: replaced('"pingInterval":25000,"pingTimeout":20000', '"pingTimeout":20000,"pingInterval":25000'),
    exchange: "the open packet where there are only WebSockets",
  },
  {
    name: "an attachment that is missing",
    setup: "plain",
    change: replaced("\x82\x01\xff", ""),
    exchange: "bytes and back: an attachment in an answer",
  },
  {
    name: "a wrong status",
    setup: "narrow",
    change: replaced("HTTP/1.1 413 ", "HTTP/1.1 400 "),
    exchange: "a body above the limit",
  },
  {
    name: "two events in the wrong order",
    setup: "plain",
    change: exchanged('["told",2]', '["told",3]'),
    exchange: "broadcasts keep their order",
  },
];

function replaced(old, other) {
  return (bytes) => change(bytes, (text) => text.replaceAll(old, other));
}

/** Swaps what is equally long: in one turn, or in two. */
function exchanged(one, other) {
  const between = "\0".repeat(one.length);
  return (bytes) => change(bytes, (text) => text.replaceAll(one, between).replaceAll(other, one).replaceAll(between, other));
}

function change(bytes, how) {
  return Buffer.from(how(bytes.toString("latin1")), "latin1");
}

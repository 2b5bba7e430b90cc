//! WebSockets: frames, and how they end.

import { exchange } from "../exchange.mjs";

/** Frames that break RFC 6455: their first byte and their payload. */
const BROKEN = {
  "text that is not UTF-8": [0x81, Buffer.from([0x34, 0xff])],
  "a reserved opcode": [0x83],
  "a reserved bit": [0xc1, Buffer.from("4")],
  "a continuation of nothing": [0x80, Buffer.from("4")],
  "a ping in parts": [0x09],
  "a ping that is too long": [0x89, Buffer.alloc(126)],
  "a close frame with half a code": [0x88, Buffer.from([3])],
  "a close frame with a code that is never sent": [0x88, Buffer.from([0x03, 0xed])],
  "a close frame whose reason is not UTF-8": [0x88, Buffer.from([0x03, 0xe8, 0xff])],
};

/** Packets that end the connection. */
const REFUSED = { "an empty message": "", "a packet of no type": "9", "a ping, which is the server's to send": "2" };

/** Packets that change nothing. */
const IGNORED = {
  "an open packet": "0",
  "a close packet": "1",
  "a pong that nobody waits for": "3",
  "an upgrade packet": "5",
  "a noop": "6",
};

export const WEBSOCKETS = [
  ...Object.entries(BROKEN).map(([what, [first, payload]]) =>
    exchange("plain", `a WebSocket gets ${what}`, async (x) => {
      const ann = await x.socket();
      ann.sendFrame(first, payload);
      await ann.ends();
      await x.told(3);
    }),
  ),
  exchange("narrow", "a message above the limit", async (x) => {
    const ann = await x.socket();
    ann.send(`42["note","${"x".repeat(87)}"]`);
    await x.told(2);
    ann.send(`42["note","${"x".repeat(88)}"]`);
    await ann.ends();
    await x.told(4);
  }),
  exchange("narrow", "an event of the server's above the limit", async (x) => {
    const ann = await x.socket();
    ann.send('42["large"]');
    await ann.settles();
  }),
  exchange("plain", "a client that says goodbye", async (x) => {
    const ann = await x.socket();
    ann.close();
    await ann.ends();
    await x.told(3);
  }),
  exchange("plain", "a client that says goodbye with a code", async (x) => {
    const ann = await x.socket();
    ann.sendFrame(0x88, Buffer.from([0x0f, 0xa0, 0x78]));
    await ann.ends();
    await x.told(3);
  }),
  exchange("plain", "a connection that breaks", async (x) => {
    const ann = await x.socket();
    ann.cut();
    await x.told(3);
  }),
  exchange("plain", "a ping of WebSocket is answered", async (x) => {
    const ann = await x.socket();
    ann.sendFrame(0x89, Buffer.from("hi"));
    await ann.hears(1);
    await ann.settles();
  }),
  exchange("plain", "a message in parts", async (x) => {
    const ann = await x.socket();
    ann.sendFrame(0x01, Buffer.from('42["ec'));
    ann.sendFrame(0x89);
    ann.sendFrame(0x00, Buffer.from('ho","'));
    ann.sendFrame(0x80, Buffer.from('é"]'));
    await ann.hears(2);
  }),
  ...Object.entries(REFUSED).map(([what, packet]) =>
    exchange("plain", `${what} ends a WebSocket`, async (x) => {
      const ann = await x.socket();
      ann.send(packet);
      await ann.ends();
      await x.told(3);
    }),
  ),
  ...Object.entries(IGNORED).map(([what, packet]) =>
    exchange("plain", `${what} is passed over on a WebSocket`, async (x) => {
      const ann = await x.socket();
      ann.send(packet);
      await ann.settles();
    }),
  ),
  exchange("plain", "base64 is read on a WebSocket", async (x) => {
    const ann = await x.socket();
    ann.send('451-["echo",{"_placeholder":true,"num":0}]', "bAQI=");
    await ann.hears(2);
  }),
  exchange("plain", "a client that can take no bytes gets base64", async (x) => {
    const ann = await x.socket({ query: "&b64=1" });
    ann.send('42["binary"]');
    await ann.hears(4);
  }),
  exchange("plain", "the first of the subprotocols is chosen", async (x) => {
    const ann = await x.websocket({ headers: { "sec-websocket-protocol": "one, two" } });
    await ann.hears();
  }),
  exchange("plain", "an offer to compress is passed over", async (x) => {
    const ann = await x.websocket({ headers: { "sec-websocket-extensions": "permessage-deflate; client_max_window_bits" } });
    await ann.hears();
  }),
];

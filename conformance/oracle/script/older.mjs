//! Clients 2.x: Engine.IO 3 and Socket.IO 4; and JSONP.

import { exchange } from "../exchange.mjs";

const BYTES = { headers: { "content-type": "application/octet-stream" } };
const FORM = { headers: { "content-type": "application/x-www-form-urlencoded" } };

/** A payload of these packets: before each its length, in UTF-16 units as in any string of ours. */
function payload(...packets) {
  return packets.map((packet) => `${packet.length}:${packet}`).join("");
}

/** The body of a form that carries a payload. Line ends in it are escaped once more, or browsers would write them their way. */
function form(...packets) {
  return `d=${encodeURIComponent(payload(...packets).replaceAll("\\n", "\\\\n"))}`;
}

/** A client 2.x that is in the main namespace, on polling. */
async function older(x, options = {}) {
  const ann = await x.polling({ eio: 3, ...options });
  await ann.poll();
  return ann;
}

/** One on a WebSocket. */
async function olderSocket(x, options = {}) {
  const ann = await x.websocket({ eio: 3, ...options });
  await ann.hears(2);
  return ann;
}

/** Posts that are no payload of protocol 3. */
const BROKEN = {
  "no body": "",
  "a length that is none": "x:4",
  "a length without an end": "12",
  "less than its length says": '99:42["echo"]',
  "more than its length says": '10:42["echo"]xyz',
  "a packet of no type": "1:9",
};

export const OLDER = [
  exchange("older", "a client 2.x opens, and is connected", (x) => older(x)),
  exchange("older", "a client that names no protocol is one of 2.x", (x) => x.ask("GET", "transport=polling")),
  exchange("older", "a client 2.x opens a WebSocket, and is connected", (x) => olderSocket(x)),
  exchange("older", "lengths are counted in UTF-16", async (x) => {
    const ann = await older(x);
    await ann.post(payload('42["echo","é€😀"]', "6"));
    await ann.poll();
  }),
  exchange("older", "several packets in a payload", async (x) => {
    const ann = await older(x);
    await ann.post(payload('42["echo"]', '421["echo",1]'));
    await ann.poll();
  }),
  exchange("older", "bytes in a payload of bytes", async (x) => {
    const ann = await older(x);
    await ann.post(payload('42["binary"]'));
    await ann.poll();
  }),
  exchange("older", "bytes in base64, for who can take no others", async (x) => {
    const ann = await older(x, { query: "&b64=1" });
    await ann.post(payload('42["binary"]'));
    await ann.poll();
  }),
  exchange("older", "a post of bytes", async (x) => {
    const ann = await older(x);
    const text = Buffer.from('451-["note",{"_placeholder":true,"num":0}]');
    const frames = [Buffer.from([0, 4, 2, 0xff]), text, Buffer.from([1, 3, 0xff, 4, 1, 2])];
    await ann.post(Buffer.concat(frames), BYTES);
    await x.told(2);
  }),
  exchange("older", "a post of base64", async (x) => {
    const ann = await older(x);
    await ann.post(payload('451-["echo",{"_placeholder":true,"num":0}]', "b4AQID/w=="));
    await ann.poll();
  }),
  exchange("older", "bytes on a WebSocket have their type", async (x) => {
    const ann = await olderSocket(x);
    ann.send('451-["echo",{"_placeholder":true,"num":0}]', Buffer.from([4, 1, 2]));
    await ann.hears(2);
  }),
  exchange("older", "base64 on a WebSocket", async (x) => {
    const ann = await olderSocket(x, { query: "&b64=1" });
    ann.send('42["binary"]');
    await ann.hears(4);
  }),
  ...Object.entries(BROKEN).map(([what, body]) =>
    exchange("older", `a client 2.x posts ${what}`, async (x) => {
      const ann = await older(x);
      await ann.post(body);
      await x.told(3);
      await ann.poll();
    }),
  ),
  ...Object.entries({
    "another namespace": "40/chat",
    "a namespace with a query": "40/chat?token=1&list=a",
    "an unknown namespace": "40/nowhere",
    "middleware that refuses": "40/refusing",
    "middleware that refuses, and says more": "40/refusing?why=x",
    "middleware that agrees": "40/refusing?welcome=1",
  }).map(([what, packet]) =>
    exchange("older", `a client 2.x connects: ${what}`, async (x) => {
      const ann = await olderSocket(x);
      ann.send(packet);
      await ann.hears(1);
      await ann.settles();
    }),
  ),
  exchange("older", "a query is auth", async (x) => {
    const ann = await olderSocket(x);
    ann.send("40/chat?token=1&list=a");
    await ann.hears(1);
    ann.send('42/chat,1["auth"]');
    await ann.hears(1);
  }),
  exchange("older", "a query that names a key twice", async (x) => {
    const ann = await olderSocket(x);
    ann.send("40/chat?empty&token=1&token=%C3%A9+2");
    await ann.hears(1);
    ann.send('42/chat,1["auth"]');
    await ann.hears(1);
  }),
  exchange("older", "a client 2.x asks for the main namespace", async (x) => {
    const ann = await olderSocket(x);
    ann.send("40");
    await ann.ends();
    await x.told(3);
  }),
  exchange("older", "a client 2.x is asked", async (x) => {
    const ann = await olderSocket(x);
    ann.send('42["ask me","why"]');
    const [question] = await ann.hears(1);
    ann.send(`43${/^42(\d+)/.exec(question)[1]}["because"]`);
    await ann.hears(1);
  }),
  exchange("older", "a client 2.x leaves", async (x) => {
    const ann = await olderSocket(x);
    ann.send("41");
    await x.told(3);
  }),
  exchange("older", "a client 2.x is disconnected", async (x) => {
    const ann = await older(x);
    await ann.post(payload('42["disconnect me"]'));
    await ann.poll();
    await x.told(3);
  }),
  exchange("older", "a client 2.x is closed while it polls", async (x) => {
    const ann = await older(x);
    const poll = await ann.wait();
    await ann.post(payload('42["close me"]'));
    await poll();
    await x.told(3);
  }),
  exchange("older", "a client 2.x closes its session", async (x) => {
    const ann = await older(x);
    const poll = await ann.wait();
    await ann.post(payload("1"));
    await poll();
    await x.told(3);
  }),
  exchange("older", "a client 2.x upgrades", async (x) => {
    const ann = await older(x);
    const poll = await ann.wait();
    const peer = await x.websocket({ eio: 3, sid: ann.sid });
    peer.send("2probe");
    await peer.hears();
    await poll();
    peer.send("5", '421["echo",1]');
    await peer.hears();
    await ann.poll();
  }),
  exchange("older", "a client 2.x breaks the protocol", async (x) => {
    const ann = await olderSocket(x);
    ann.send("49");
    await ann.ends();
    await x.told(3);
  }),
  exchange("older", "JSONP", async (x) => {
    const ann = await older(x, { query: "&j=0" });
    await ann.post(form('42["echo","a\\nb","\u2028"]'), FORM);
    await ann.poll();
    await ann.post("e=1", FORM);
    await ann.post(form("2"), FORM);
    await ann.poll();
  }),
  exchange("older", "JSONP with more than a number", (x) => x.polling({ eio: 3, query: "&j=1x2" })),
  exchange("older", "JSONP of protocol 4", async (x) => {
    const ann = await x.polling({ query: "&j=3" });
    await ann.post(`d=${encodeURIComponent("40")}`, FORM);
    await ann.poll();
  }),
  exchange("plain", "JSONP without older clients", (x) => x.polling({ query: "&j=3" })),
];

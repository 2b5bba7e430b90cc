//! Events, answers and binary data.

import { exchange } from "../exchange.mjs";

/** What is sent to be echoed as it came. */
const ECHOED = {
  "no argument": '42["echo"]',
  "arguments of all kinds": '42["echo",null,true,-1.5,"é€😀",[],{},{"a":[{"b":1}]}]',
  "keys in their order": '42["echo",{"b":1,"a":2,"c":{"z":0,"y":0}}]',
  "an answer": '4212["echo",1,"two"]',
  "an answer without arguments": '420["echo"]',
  "the largest id": '429007199254740991["echo"]',
  "a placeholder that is none": '421["echo",{"_placeholder":true,"num":0}]',
};

/** Packets with attachments that are echoed. */
const BINARY = {
  "one attachment": ['451-["echo",{"_placeholder":true,"num":0}]', Buffer.from([1, 2])],
  "an empty attachment": ['451-["echo",{"_placeholder":true,"num":0}]', Buffer.alloc(0)],
  "an attachment inside": ['451-["echo",{"a":[{"_placeholder":true,"num":0}]}]', Buffer.from([1, 2])],
  "two attachments": [
    '452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
    Buffer.from([1]),
    Buffer.from([2]),
  ],
  "an attachment in an answer": ['451-15["echo",{"_placeholder":true,"num":0}]', Buffer.from([255])],
};

/** Packets that reach nobody, and end nothing. */
const NO_MATTER = {
  "an event without arguments or name": "42",
  "an event that nobody handles": '42["nobody",1]',
  "an event with a number for a name": '42[5,"x"]',
  "an answer that nobody waits for": '4377["x"]',
  "an answer without arguments": "4377",
  "an answer without an id": '43["x"]',
};

export const EVENTS = [
  ...Object.entries(ECHOED).map(([what, packet]) =>
    exchange("plain", `an event and back: ${what}`, async (x) => {
      const ann = await x.socket();
      ann.send(packet);
      await ann.hears(1);
      await ann.settles();
    }),
  ),
  ...Object.entries(BINARY).map(([what, packets]) =>
    exchange("plain", `bytes and back: ${what}`, async (x) => {
      const ann = await x.socket();
      ann.send(...packets);
      await ann.hears(1);
      await ann.settles();
    }),
  ),
  ...Object.entries(NO_MATTER).map(([what, packet]) =>
    exchange("plain", `${what} changes nothing`, async (x) => {
      const ann = await x.socket();
      ann.send(packet);
      await ann.settles();
    }),
  ),
  exchange("plain", "an event in another namespace", async (x) => {
    const ann = await x.socket({ nsp: "/chat," });
    ann.send('42/chat,["echo",1]', '42/chat,13["echo",1]', '451-/chat,14["echo",{"_placeholder":true,"num":0}]', Buffer.from([9]));
    await ann.hears(4);
    await ann.settles("/chat,");
  }),
  exchange("plain", "values that the server makes", async (x) => {
    const ann = await x.socket();
    ann.send('42["values"]');
    await ann.hears(1);
  }),
  exchange("plain", "bytes that the server makes", async (x) => {
    const ann = await x.socket();
    ann.send('42["binary"]');
    await ann.hears(4);
  }),
  exchange("plain", "a heartbeat between an event and its bytes", async (x) => {
    const ann = await x.socket();
    ann.send('451-["echo",{"_placeholder":true,"num":0}]', "3", Buffer.from([1]));
    await ann.hears(2);
  }),
  exchange("plain", "what the handler sees of a packet", async (x) => {
    const ann = await x.socket();
    const packet = '452-["note",{"_placeholder":true,"num":0},{"x":[{"_placeholder":true,"num":1}]},"é"]';
    ann.send(packet, Buffer.from([1]), Buffer.from([2, 3]));
    await ann.settles();
    await x.told(2);
  }),
  exchange("plain", "events keep their order", async (x) => {
    const ann = await x.socket();
    ann.send('42["many",5]', '42["echo","between"]', '42["many",2]');
    await ann.hears(8);
  }),
  exchange("plain", "an answer is given once", async (x) => {
    const ann = await x.socket();
    ann.send('423["twice"]');
    await ann.settles();
  }),
  exchange("plain", "the server asks", async (x) => {
    const ann = await x.socket();
    ann.send('42["ask me","why"]');
    const [question] = await ann.hears(1);
    ann.send(`43${id(question)}["because"]`, `43${id(question)}["and again"]`);
    await ann.hears(1);
    await ann.settles();
  }),
  exchange("plain", "the server asks in another namespace", async (x) => {
    const ann = await x.socket({ nsp: "/chat," });
    ann.send('42/chat,["ask me","why"]');
    const [question] = await ann.hears(1);
    ann.send(`43/chat,${id(question)}[{"a":1}]`);
    await ann.hears(1);
  }),
  exchange("plain", "bytes answer the server", async (x) => {
    const ann = await x.socket();
    ann.send('42["ask me","which"]');
    const [question] = await ann.hears(1);
    ann.send(`461-${id(question)}[{"_placeholder":true,"num":0}]`, Buffer.from([7]));
    await ann.hears(2);
  }),
  exchange("plain", "an event that middleware refuses", async (x) => {
    const ann = await x.socket();
    ann.send('42["forbidden"]');
    await ann.settles();
    await x.told(1);
  }),
  exchange("plain", "an event that middleware refuses, and that wants an answer", async (x) => {
    const ann = await x.socket();
    ann.send('425["forbidden"]');
    await ann.settles();
  }),
  exchange("plain", "a volatile event is like any other if nothing is in its way", async (x) => {
    const ann = await x.socket();
    ann.send('42["volatile"]');
    await ann.hears(2);
  }),
  exchange("plain", "several volatile events at once", async (x) => {
    const ann = await x.socket();
    ann.send('42["volatiles"]');
    await ann.settles();
  }),
  exchange("plain", "a volatile event without a poll", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('42["volatile"]');
    await ann.poll();
  }),
  exchange("plain", "a long event", async (x) => {
    const ann = await x.socket();
    ann.send(`421["echo","${"x".repeat(70)}"]`, '42["large"]');
    await ann.hears(2);
  }),
];

function id(question) {
  return /^42(?:\/[^,]*,)?(\d+)/.exec(question)[1];
}

//! What clients may not send: the connection ends, and every socket of it with a reason.

import { exchange } from "../exchange.mjs";

/** Packets that cannot be read. */
const UNREADABLE = {
  "an unknown type": ["47"],
  "no packet at all": ["4"],
  "JSON that breaks off": ['42["echo"'],
  "JSON with more behind it": ['42["echo"]x'],
  "an event that is an object": ['42{"echo":1}'],
  "an event with no name": ["42[]"],
  "an event with null for a name": ["42[null]"],
  "CONNECT with a list": ["40/chat,[]"],
  "CONNECT with null": ["40/chat,null"],
  "CONNECT with a text": ['40/chat,"x"'],
  "DISCONNECT with data": ["41{}"],
  "an answer that is an object": ["431{}"],
  "an event called connect": ['42["connect"]'],
  "an event called connect_error": ['42["connect_error"]'],
  "an event called disconnect": ['42["disconnect"]'],
  "an event called disconnecting": ['42["disconnecting"]'],
  "an event called newListener": ['42["newListener"]'],
  "an event called removeListener": ['42["removeListener"]'],
  "no attachment": ['450-["echo"]'],
  "a number of attachments without an end": ['451["echo"]'],
  "a number of attachments that is none": ['45x-["echo"]'],
  "less than no attachments": ['45-1-["echo"]'],
  "more attachments than are taken": ['4511-["echo"]'],
  "a place for an attachment that is not there": ['451-["echo",{"_placeholder":true,"num":1}]', Buffer.from([1])],
  "a place for an attachment before the first": ['451-["echo",{"_placeholder":true,"num":-1}]', Buffer.from([1])],
  "a place for an attachment that is no number": ['451-["echo",{"_placeholder":true,"num":"0"}]', Buffer.from([1])],
  "bytes that nobody waits for": [Buffer.from([1])],
  "text where bytes are waited for": ['451-["echo",{"_placeholder":true,"num":0}]', '42["echo"]'],
};

/** Packets that are not for now. */
const UNTIMELY = {
  "a second CONNECT": '40{"again":true}',
  "an event in a namespace that was not joined": '42/chat,["echo"]',
  "an answer in a namespace that was not joined": '43/chat,1["x"]',
  "DISCONNECT from a namespace that was not joined": "41/chat,",
  "a refusal": '44{"message":"no"}',
};

/** Packets of who has joined nothing. */
const TOO_EARLY = { "an event": '42["echo"]', "an answer": '431["x"]', "DISCONNECT": "41", "a refusal": '44{"message":"no"}' };

export const VIOLATIONS = [
  ...[...Object.entries(UNREADABLE), ...Object.entries(UNTIMELY).map(([what, packet]) => [what, [packet]])].map(([what, packets]) =>
    exchange("plain", `a WebSocket is ended by ${what}`, async (x) => {
      const ann = await x.socket();
      ann.send(...packets);
      await ann.ends();
      await x.told(3);
    }),
  ),
  ...Object.entries(TOO_EARLY).map(([what, packet]) =>
    exchange("plain", `before CONNECT there is ${what}`, async (x) => {
      const ann = await x.websocket();
      ann.send(packet);
      await ann.ends();
    }),
  ),
  exchange("plain", "all sockets of a connection end with it", async (x) => {
    const ann = await x.socket();
    ann.send("40/chat,");
    await ann.hears(1);
    ann.send("49");
    await ann.ends();
    await x.told(3);
    await x.told(3, "ann /chat");
  }),
  exchange("plain", "what came before an unreadable packet is handled", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const poll = await ann.wait();
    await ann.post('42["note",1]');
    await x.told(2);
    await ann.post("49");
    await poll();
    await x.told(4);
  }),
  exchange("plain", "an untimely packet with a poll that waits", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const poll = await ann.wait();
    await ann.post("40");
    await poll();
    await x.told(3);
    await ann.poll();
  }),
  exchange("plain", "an untimely packet without a poll", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post("40");
    await x.told(3);
    await ann.poll();
    await ann.poll();
  }),
  exchange("plain", "an unreadable packet without a poll", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post("49");
    await ann.poll();
    await x.told(3);
    await ann.poll();
  }),
  exchange("plain", "blanks where an id may stand", async (x) => {
    const ann = await x.socket();
    ann.send('42 ["echo",1]');
    await ann.hears(1);
  }),
];

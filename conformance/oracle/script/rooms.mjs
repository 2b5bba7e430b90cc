//! Many clients: rooms, answers of all, and ends that the server makes.

import { exchange } from "../exchange.mjs";

/** Clients of these names, each in the rooms of its name. */
async function clients(x, rooms) {
  const all = {};
  for (const [name, joined] of Object.entries(rooms)) {
    all[name] = await x.socket({ name });
    for (const room of joined) {
      all[name].send(`421["join","${room}"]`);
      await all[name].hears(1);
    }
  }
  return all;
}

function id(question) {
  return /^42(\d+)/.exec(question)[1];
}

export const ROOMS = [
  exchange("plain", "a room is told", async (x) => {
    const { ann, ben, eve } = await clients(x, { ann: ["r1"], ben: ["r1"], eve: ["r2"] });
    ann.send('421["tell",{"to":["r1"]},1]');
    await ann.hears(2);
    await ben.hears(1);
    await eve.settles();
  }),
  exchange("plain", "others in a room are told", async (x) => {
    const { ann, ben } = await clients(x, { ann: ["r3"], ben: ["r3"] });
    ann.send('421["tell others",{"to":["r3"]},1]');
    await ann.settles();
    await ben.hears(1);
  }),
  exchange("plain", "who is in two rooms is told once", async (x) => {
    const { ann, ben } = await clients(x, { ann: ["r4", "r5"], ben: ["r5"] });
    ann.send('421["tell",{"to":["r4","r5"]},1]');
    await ann.settles();
    await ben.settles();
  }),
  exchange("plain", "a room except another", async (x) => {
    const { ann, ben } = await clients(x, { ann: ["r6", "r7"], ben: ["r6"] });
    ann.send('421["tell",{"to":["r6"],"except":["r7"]},1]');
    await ann.settles();
    await ben.settles();
  }),
  exchange("plain", "who has left a room is not told", async (x) => {
    const { ann, ben } = await clients(x, { ann: ["r8"], ben: ["r8"] });
    ben.send('421["leave","r8"]');
    await ben.hears(1);
    ann.send('421["tell",{"to":["r8"]},1]');
    await ann.settles();
    await ben.settles();
  }),
  exchange("plain", "a room that nobody is in", async (x) => {
    const { ann } = await clients(x, { ann: [] });
    ann.send('421["tell",{"to":["r9"]},1]');
    await ann.settles();
  }),
  exchange("plain", "broadcasts keep their order", async (x) => {
    const { ann, ben } = await clients(x, { ann: ["r10"], ben: ["r10"] });
    for (let n = 0; n < 5; n += 1) ann.send(`42${n}["tell",{"to":["r10"]},${n}]`);
    await ann.hears(10);
    await ben.hears(5);
  }),
  exchange("plain", "a broadcast with bytes", async (x) => {
    const { ann, ben } = await clients(x, { ann: ["r11"], ben: ["r11"] });
    ben.send('421["tell bytes",{"to":["r11"]}]');
    await ben.hears(3);
    await ann.hears(2);
  }),
  exchange("plain", "a broadcast to polling and to a WebSocket", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('421["join","r12"]');
    await ann.hears(1);
    const { ben } = await clients(x, { ben: ["r12"] });
    ben.send('421["tell",{"to":["r12"]},"é"]');
    await ben.hears(2);
    await ann.poll();
  }),
  exchange("plain", "namespaces have rooms of their own", async (x) => {
    const { ann } = await clients(x, { ann: ["r13"] });
    const ben = await x.socket({ name: "ben", nsp: "/chat," });
    ben.send('42/chat,1["join","r13"]', '42/chat,2["tell",{"to":["r13"]},1]');
    await ben.hears(3);
    await ann.settles();
  }),
  exchange("plain", "everyone in a room answers", async (x) => {
    const { ann, ben, eve } = await clients(x, { ann: ["r14"], ben: ["r14"], eve: [] });
    eve.send('42["ask",{"to":["r14"]}]');
    const questions = [await ann.hears(1), await ben.hears(1)];
    ann.send(`43${id(questions[0][0])}["from ann"]`);
    ben.send(`43${id(questions[1][0])}["from ben"]`);
    await eve.hears(1);
  }),
  exchange("plain", "nobody is there to answer", async (x) => {
    const { ann } = await clients(x, { ann: [] });
    ann.send('42["ask",{"to":["r15"]}]');
    await ann.hears(1);
  }),
  exchange("plain", "one of two does not answer in time", async (x) => {
    const { ann, ben, eve } = await clients(x, { ann: ["r16"], ben: ["r16"], eve: [] });
    eve.send('42["ask in vain",{"to":["r16"]}]');
    const [question] = await ann.hears(1);
    await ben.hears(1);
    ann.send(`43${id(question)}["from ann"]`);
    await eve.hears(1);
  }),
  exchange("plain", "one of two leaves before it answers", async (x) => {
    const { ann, ben, eve } = await clients(x, { ann: ["r17"], ben: ["r17"], eve: [] });
    eve.send('42["ask in vain",{"to":["r17"]}]');
    const [question] = await ann.hears(1);
    await ben.hears(1);
    ben.cut();
    await x.told(3, "ben");
    ann.send(`43${id(question)}["from ann"]`);
    await eve.hears(1);
  }),
  exchange("plain", "who has broken the protocol on polling is not asked", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('421["join","r21"]');
    await ann.hears(1);
    await ann.post("49");
    const { ben } = await clients(x, { ben: [] });
    ben.send('42["ask in vain",{"to":["r21"]}]');
    await ben.hears(1);
    await ann.poll();
    await x.told(3);
  }),
  exchange("plain", "a room is disconnected", async (x) => {
    const { ann, ben, eve } = await clients(x, { ann: ["r18"], ben: ["r18"], eve: [] });
    eve.send('421["part",{"to":["r18"]}]');
    for (const client of [eve, ann, ben]) await client.hears(1);
    await x.told(3);
    await x.told(3, "ben");
    ann.send("40");
    await ann.hears(1);
  }),
  exchange("plain", "rooms are those of a socket that ends", async (x) => {
    const { ann } = await clients(x, { ann: ["r19", "r20"] });
    ann.close();
    await ann.ends();
    await x.told(3);
  }),
  exchange("plain", "the server disconnects one", async (x) => {
    const ann = await x.socket();
    ann.send("40/chat,");
    await ann.hears(1);
    ann.send('42["disconnect me"]');
    await ann.hears(1);
    await x.told(3);
    await ann.settles("/chat,");
  }),
  exchange("plain", "the server closes a connection", async (x) => {
    const ann = await x.socket();
    ann.send("40/chat,");
    await ann.hears(1);
    ann.send('42["close me"]');
    await ann.ends();
    await x.told(3);
    await x.told(3, "ann /chat");
  }),
  exchange("plain", "the server disconnects one on polling", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('42["disconnect me"]');
    await ann.poll();
    await x.told(3);
    await ann.joins();
  }),
  exchange("plain", "the server closes polling without a poll", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('42["close me"]');
    await x.told(3);
    await ann.poll();
    await ann.poll();
    await ann.poll();
  }),
  exchange("plain", "the server closes polling that waits", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const poll = await ann.wait();
    await ann.post('42["close me"]');
    await poll();
    await x.told(3);
  }),
];

//! Coming back as who one was.

import { exchange } from "../exchange.mjs";

/** What a CONNECT reply and an event tell of a client: its `pid`, and the place of the event. */
function known(reply, event) {
  const { pid } = JSON.parse(reply.slice(reply.indexOf("{")));
  return JSON.stringify({ pid, offset: JSON.parse(event.slice(2)).at(-1) });
}

/** A client that has seen one event and is in `room`, and who it is. */
async function remembered(x, room) {
  const ann = await x.websocket();
  ann.send("40");
  const [, reply] = await ann.hears(2);
  ann.send(`421["join","${room}"]`, '42["many",1]');
  const [, event] = await ann.hears(2);
  return { ann, who: known(reply, event) };
}

export const RECOVERY = [
  exchange("remembering", "CONNECT is answered with two ids", async (x) => {
    const ann = await x.polling();
    await ann.joins();
  }),
  exchange("remembering", "events carry their place, answers and questions do not", async (x) => {
    const ann = await x.socket();
    ann.send('42["many",2]', '421["echo",1]', '42["ask me","why"]');
    const [, , , question] = await ann.hears(4);
    ann.send(`43${/^42(\d+)/.exec(question)[1]}[5]`);
    await ann.hears(1);
  }),
  exchange("remembering", "volatile events carry no place", async (x) => {
    const ann = await x.socket();
    ann.send('42["volatile"]');
    await ann.hears(2);
  }),
  exchange("remembering", "who comes back gets what it missed before it is connected", async (x) => {
    const { ann, who } = await remembered(x, "m1");
    const ben = await x.socket({ name: "ben" });
    ann.cut();
    await x.told(3);
    for (let n = 1; n < 4; n += 1) ben.send(`42${n}["tell",{"to":["m1"]},${n}]`);
    ben.send('424["tell",{"to":["elsewhere"]},9]');
    await ben.hears(4);
    const again = await x.websocket();
    again.send(`40${who}`);
    await again.hears(5);
    await again.settles();
    await x.told(4);
  }),
  exchange("remembering", "who comes back on polling", async (x) => {
    const { ann, who } = await remembered(x, "m2");
    const ben = await x.socket({ name: "ben" });
    ann.cut();
    await x.told(3);
    ben.send('421["tell",{"to":["m2"]},1]');
    await ben.hears(1);
    const again = await x.polling();
    await again.post(`40${who}`);
    await again.hears(2);
  }),
  exchange("remembering", "an event without an end that was wanted", async (x) => {
    const { ann, who } = await remembered(x, "m3");
    ann.send("41");
    await x.told(3);
    const again = await x.websocket();
    again.send(`40${who}`);
    await again.hears(2);
    await x.told(4);
  }),
  ...Object.entries({
    "an id that nobody had": '{"pid":"AAAAAAAAAAAAAAAAAAAA","offset":"AAAAAAA"}',
    "no place": '{"pid":"AAAAAAAAAAAAAAAAAAAA"}',
    "ids that are numbers": '{"pid":1,"offset":2}',
  }).map(([what, auth]) =>
    exchange("remembering", `coming back with ${what}`, async (x) => {
      const ann = await x.websocket();
      ann.send(`40${auth}`);
      await ann.hears(2);
      await ann.settles();
      await x.told(1);
    }),
  ),
  exchange("remembering", "coming back with a place that never was", async (x) => {
    const { ann, who } = await remembered(x, "m4");
    ann.cut();
    await x.told(3);
    const again = await x.websocket();
    again.send(`40${JSON.stringify({ ...JSON.parse(who), offset: "nowhere" })}`);
    await again.hears(2);
    await x.told(4);
  }),
  exchange("remembering", "coming back twice", async (x) => {
    const { ann, who } = await remembered(x, "m5");
    ann.cut();
    await x.told(3);
    for (const name of ["ben", "eve"]) {
      const again = await x.websocket({ name });
      again.send(`40${who}`);
      await again.hears(2);
    }
  }),
];

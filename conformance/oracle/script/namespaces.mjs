//! CONNECT and DISCONNECT.

import { exchange } from "../exchange.mjs";

/** What CONNECT packets ask for, and what they are answered on a new connection. */
const CONNECTS = {
  "the main namespace": "40",
  "the main namespace with auth": '40{"token":"x"}',
  "the main namespace by its name": "40/,",
  "another namespace": "40/chat,",
  "another namespace without a comma": "40/chat",
  "another namespace with auth": '40/chat,{"token":"x"}',
  "an unknown namespace": "40/nowhere,",
  "a namespace with a query": "40/chat?x=1,",
  "a namespace that is made now": "40/family-one,",
  "middleware that refuses": "40/refusing,",
  "middleware that refuses, and says more": '40/refusing,{"why":{"list":[1,null]}}',
  "middleware that agrees": '40/refusing,{"welcome":true}',
};

export const NAMESPACES = [
  ...Object.entries(CONNECTS).map(([what, packet]) =>
    exchange("plain", `CONNECT: ${what}`, async (x) => {
      const ann = await x.websocket();
      ann.send(packet);
      await ann.hears(2);
    }),
  ),
  exchange("plain", "auth arrives", async (x) => {
    const ann = await x.socket({ nsp: '{"token":"é","list":[1,{"a":null}]}' });
    ann.send('421["auth"]');
    await ann.hears(1);
  }),
  exchange("plain", "no auth is an empty object", async (x) => {
    const ann = await x.socket();
    ann.send('421["auth"]');
    await ann.hears(1);
  }),
  exchange("plain", "who is refused may ask again", async (x) => {
    const ann = await x.websocket();
    ann.send("40/refusing,");
    await ann.hears(2);
    ann.send('40/refusing,{"welcome":1}');
    await ann.hears(1);
    await ann.settles("/refusing,");
    await x.told(1, "ann /refusing");
  }),
  exchange("plain", "a refusal on polling", async (x) => {
    const ann = await x.polling();
    await ann.joins("/refusing,");
    await ann.joins("/nowhere,");
    await ann.joins();
  }),
  exchange("plain", "several namespaces on one connection", async (x) => {
    const ann = await x.socket();
    ann.send("40/chat,", "40/family-two,");
    await ann.hears(2);
    ann.send('42["echo",0]', '42/chat,["echo",1]', '42/family-two,7["echo",2]');
    await ann.hears(3);
    ann.close();
    await ann.ends();
    for (const name of ["ann", "ann /chat", "ann /family-two"]) await x.told(3, name);
  }),
  exchange("plain", "DISCONNECT", async (x) => {
    const ann = await x.socket();
    ann.send("40/chat,");
    await ann.hears(1);
    ann.send("41");
    await x.told(3);
    ann.send('42/chat,1["echo"]');
    await ann.hears(1);
    ann.send("40");
    await ann.hears(1);
    await ann.settles();
  }),
  exchange("plain", "DISCONNECT from another namespace", async (x) => {
    const ann = await x.socket();
    ann.send("40/chat,");
    await ann.hears(1);
    ann.send("41/chat,");
    await x.told(3, "ann /chat");
    await ann.settles();
  }),
  exchange("plain", "DISCONNECT right after an event", async (x) => {
    const ann = await x.socket();
    ann.send('42["note",1]', "41");
    await x.toldUntil("disconnect");
    ann.send("40/chat,");
    await ann.hears(1);
    await ann.settles("/chat,");
  }),
  exchange("plain", "CONNECT while the middleware has not decided", async (x) => {
    const ann = await x.websocket();
    ann.send("40/never,", "40/never,", "40/chat,");
    await ann.hears(1);
    await ann.endsOrHears();
  }),
  exchange("plain", "an event while the middleware has not decided", async (x) => {
    const ann = await x.websocket();
    ann.send("40/never,", '42/never,["echo"]');
    await ann.ends();
  }),
];

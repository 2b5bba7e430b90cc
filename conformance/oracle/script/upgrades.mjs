//! The way from polling to a WebSocket, and the ways off it.

import { exchange } from "../exchange.mjs";

export const UPGRADES = [
  exchange("plain", "an upgrade", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const poll = await ann.wait();
    const peer = await x.websocket({ sid: ann.sid });
    peer.send("2probe");
    await peer.hears();
    await poll();
    peer.send("5", '42["echo",1]');
    await peer.hears();
    await ann.poll();
    peer.close();
    await peer.ends();
    await x.told(3);
    await x.toldWhy();
  }),
  exchange("plain", "what was not fetched comes after an upgrade", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('42["many",2]');
    const peer = await x.websocket({ sid: ann.sid });
    peer.send("2probe");
    await peer.hears();
    peer.send("5");
    await peer.hears(2);
  }),
  exchange("plain", "an upgrade before CONNECT", async (x) => {
    const ann = await x.polling();
    const peer = await x.websocket({ sid: ann.sid });
    peer.send("2probe", "5", "40");
    await peer.hears(2);
  }),
  exchange("plain", "an upgrade without a probe", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const peer = await x.websocket({ sid: ann.sid });
    peer.send("5", '42["echo",1]');
    await peer.hears();
  }),
  ...Object.entries({ "a ping without a probe": "2", "a message": '42["echo"]', nonsense: "x", "a ping with more": "2probes" }).map(
    ([what, packet]) =>
      exchange("plain", `an upgrade that begins with ${what}`, async (x) => {
        const ann = await x.polling();
        await ann.joins();
        const peer = await x.websocket({ sid: ann.sid });
        peer.send(packet);
        await peer.ends();
        await ann.post('42["echo",1]');
        await ann.hears(1);
      }),
  ),
  exchange("plain", "an upgrade that breaks off can be tried again", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const first = await x.websocket({ sid: ann.sid });
    first.send("2probe");
    await first.hears();
    first.close();
    await first.ends();
    await ann.post('42["echo",1]');
    await ann.hears(1);
    const second = await x.websocket({ sid: ann.sid });
    second.send("2probe");
    await second.hears();
    second.send("5", '42["echo",2]');
    await second.hears();
  }),
  exchange("plain", "a second upgrade at the same time", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const first = await x.websocket({ sid: ann.sid });
    first.send("2probe");
    await first.hears();
    const second = await x.websocket({ sid: ann.sid });
    await second.ends();
    first.send("5", '42["echo",1]');
    await first.hears();
  }),
  exchange("plain", "an upgrade of who is upgraded", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const first = await x.websocket({ sid: ann.sid });
    first.send("2probe", "5", '42["echo",1]');
    await first.hears(2);
    const second = await x.websocket({ sid: ann.sid });
    await second.ends();
    await first.settles();
  }),
  exchange("hasty", "an upgrade that takes too long", async (x) => {
    const ann = await x.polling();
    const peer = await x.websocket({ sid: ann.sid });
    peer.send("2probe");
    await peer.hears();
    await peer.ends();
    await ann.post("40");
  }),
  exchange("odd", "an upgrade that was not offered", async (x) => {
    const ann = await x.polling();
    const peer = await x.websocket({ sid: ann.sid });
    peer.send("2probe");
    await peer.hears();
    peer.send("5", "40");
    await peer.hears();
  }),
  exchange("plain", "a session of WebSocket is taken over", async (x) => {
    const ann = await x.websocket();
    const [open] = await ann.hears();
    ann.send("40");
    await ann.hears();
    const { sid } = JSON.parse(open.slice(1));
    const second = await x.websocket({ sid });
    second.send("2probe");
    await second.endsOrHears();
  }),
  exchange("plain", "a session that ends during its upgrade", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const peer = await x.websocket({ sid: ann.sid });
    peer.send("2probe");
    await peer.hears();
    await ann.post("1");
    await peer.ends();
    await x.told(3);
  }),
];

//! Pings and pongs, and what becomes of who is silent.

import { exchange } from "../exchange.mjs";

export const HEARTBEATS = [
  exchange("hasty", "pings on a WebSocket", async (x) => {
    const ann = await x.socket();
    for (let n = 0; n < 3; n += 1) {
      await ann.hears();
      ann.send("3");
    }
  }),
  exchange("hasty", "a WebSocket that does not answer", async (x) => {
    const ann = await x.socket();
    await ann.ends();
    await x.told(3);
  }),
  exchange("hasty", "pings on polling", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    for (let n = 0; n < 3; n += 1) {
      await ann.poll();
      await ann.post("3");
    }
  }),
  exchange("hasty", "a pong with more in it", async (x) => {
    const ann = await x.socket();
    for (let n = 0; n < 2; n += 1) {
      await ann.hears();
      ann.send("3more");
    }
  }),
  exchange("hasty", "polling that does not answer", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.poll();
    await ann.poll();
    await x.told(3);
    await ann.poll();
  }),
  exchange("hasty", "polling that has stopped", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await x.told(3);
    await ann.poll();
  }),
  exchange("impatient", "a WebSocket that joins nothing", async (x) => {
    const ann = await x.websocket();
    await ann.ends();
  }),
  exchange("impatient", "polling that joins nothing", async (x) => {
    const ann = await x.polling();
    await ann.poll();
    await ann.poll();
  }),
  exchange("impatient", "who is refused has joined nothing", async (x) => {
    const ann = await x.websocket();
    ann.send("40/refusing,");
    await ann.ends();
  }),
  exchange("hasty", "a client 2.x pings", async (x) => {
    const ann = await x.websocket({ eio: 3 });
    await ann.hears(2);
    for (const ping of ["2", "2hello", "2probe"]) {
      ann.send(ping);
      await ann.hears();
    }
  }),
  exchange("hasty", "a client 2.x that does not ping", async (x) => {
    const ann = await x.websocket({ eio: 3 });
    await ann.ends();
    await x.told(3);
  }),
  exchange("hasty", "a client 2.x that sends a pong", async (x) => {
    const ann = await x.websocket({ eio: 3 });
    await ann.hears(2);
    ann.send("3");
    await ann.ends();
    await x.told(3);
  }),
  exchange("hasty", "a client 2.x pings on polling", async (x) => {
    const ann = await x.polling({ eio: 3 });
    await ann.poll();
    await ann.post("1:2");
    await ann.poll();
  }),
];

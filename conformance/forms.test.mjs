//! The official client 4.x with compressed WebSockets, and with MessagePack, against the example forms.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import parser from "socket.io-msgpack-parser";
import { Client, WAYS } from "./lib/client.mjs";
import { startExample } from "./lib/program.mjs";

const VALUES = [0, -1.5, 5_000_000_000, "ö€😀", null, true, [], { a: [{ b: Buffer.from([0, 255]) }] }, Buffer.alloc(3)];
const LONG = "all work and no play ".repeat(5_000);

for (const [way, options] of Object.entries(WAYS)) {
  describe(`over ${way}`, () => {
    test("MessagePack: what is said comes back, with binary values in place", async (t) => {
      const { url } = await startExample(t, "forms");
      const client = await Client.connected(t, url, { ...options, parser });
      assert.deepEqual(await client.asks("echo", ...VALUES), VALUES);
      assert.deepEqual(client.events, [["said", ...VALUES]]);
      assert.deepEqual(await client.asks("echo"), []);
    });

    test("MessagePack: undefined and dates arrive as JSON has them", async (t) => {
      const { url } = await startExample(t, "forms");
      const client = await Client.connected(t, url, { ...options, parser });
      const answer = await client.asks("echo", undefined, new Date(1_234_567_890_123), { gone: undefined });
      assert.deepEqual(answer, [null, "2009-02-13T23:31:30.123Z", {}]);
    });

    test("MessagePack: a client that speaks JSON is shut out", async (t) => {
      const { url } = await startExample(t, "forms");
      const client = Client.open(t, url, { ...options, reconnection: false });
      await client.until(() => `the end; ${client}`, () => client.socket.io.engine.readyState === "closed");
      assert.equal(client.connects, 0);
    });

    test("a long message comes back whole where compression is offered", async (t) => {
      const { url } = await startExample(t, "forms", { PARSER: "json" });
      const client = await Client.connected(t, url, { ...options, perMessageDeflate: true });
      const { ws } = client.socket.io.engine.transport;
      assert.equal(ws?.extensions, way === "polling" ? undefined : "permessage-deflate");
      const data = Buffer.alloc(100_000, "fanfare");
      assert.deepEqual(await client.asks("echo", LONG, data), [LONG, data]);
      assert.deepEqual(client.events, [["said", LONG, data]]);
    });
  });
}

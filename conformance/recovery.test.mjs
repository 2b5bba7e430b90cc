//! Connection state recovery, with the official client 4.x through a network that breaks.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Client, WAYS } from "./lib/client.mjs";
import { Network } from "./lib/network.mjs";
import { startExample } from "./lib/program.mjs";

for (const [way, options] of Object.entries(WAYS)) {
  describe(`over ${way}`, () => {
    test("who loses the connection comes back as who it was, and has missed nothing", async (t) => {
      const { url } = await startExample(t, "recovery");
      const network = await Network.to(t, url);
      const [ann, ben] = [await Client.connected(t, network.url, options), await Client.connected(t, url, options)];
      for (const client of [ann, ben]) await client.asks("join", "kitchen");
      const { id } = ann.socket;
      const say = (text) => ben.asks("say", { room: "kitchen", text });
      await say("one");
      await ann.hears("said", "one");
      assert.equal(ann.socket.recovered, false);
      await network.isUsed();
      network.cut();
      await ann.until(() => `the loss; ${ann}`, () => ann.disconnects.length === 1);
      for (const text of ["two", "three"]) await say(text);
      await ben.asks("say", { room: "garden", text: "not for the kitchen" });
      await ann.until(() => `the return; ${ann}`, () => ann.connects === 2);
      await say("four");
      await ann.hears("said", "four");
      assert.deepEqual(ann.heard("said"), ["one", "two", "three", "four"]);
      assert.deepEqual([ann.socket.recovered, ann.socket.id], [true, id]);
      assert.equal(ann.heard("welcome").length, 1);
    });

    test("who leaves on purpose begins anew", async (t) => {
      const { url } = await startExample(t, "recovery");
      const client = await Client.connected(t, url, options);
      await client.until(() => `the welcome; ${client}`, () => client.heard("welcome").length === 1);
      const { id } = client.socket;
      client.socket.disconnect();
      client.socket.connect();
      await client.until(() => `the welcome; ${client}`, () => client.heard("welcome").length === 2);
      assert.equal(client.socket.recovered, false);
      assert.notEqual(client.socket.id, id);
    });
  });
}

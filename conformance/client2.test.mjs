//! The official client 2.x, which speaks Engine.IO 3, against the examples.

import assert from "node:assert/strict";
import { test } from "node:test";
import { testClient } from "./client.mjs";
import { Client2, WAYS } from "./lib/client.mjs";
import { startRoom } from "./lib/program.mjs";
import { Visitor } from "./lib/visitor.mjs";

testClient(Client2);

test("with the session's cookie a client 2.x is in the room, and without it is told why not", async (t) => {
  const { url } = await startRoom(t);
  const ann = await Visitor.signedIn(t, url, "Ann");
  let expected = 0;
  for (const options of Object.values(WAYS)) {
    const stranger = Client2.open(t, url, options);
    assert.match((await stranger.failure()).message, /^not signed in: open \/ and enter a name first/);
    const tab = await Client2.connected(t, url, { ...options, extraHeaders: { cookie: ann.cookie } });
    await tab.hears("user count", (expected += 1));
    const { id } = await tab.ask("chat message", "hello from 2.x");
    assert(Number.isInteger(id));
    await tab.until(() => `the message; ${tab}`, () => tab.heard("chat message").some((message) => message.id === id));
  }
});

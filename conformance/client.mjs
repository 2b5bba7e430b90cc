//! What clients 2.x, 3.x and 4.x are all held to against the examples, over polling, over WebSocket and through the upgrade.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WAYS } from "./lib/client.mjs";
import { within } from "./lib/deadline.mjs";
import { Network } from "./lib/network.mjs";
import { startExample } from "./lib/program.mjs";

/** Longer than the packet's 16 bits of length, below the largest message. */
const LARGE_BYTES = 600_000;

/** Registers the tests with `Client`, the class of one version's sockets. */
export function testClient(Client) {
  for (const [way, options] of Object.entries(WAYS)) {
    describe(`over ${way}`, () => {
      test("the lesson: each newcomer makes everyone see one more", async (t) => {
        const { url } = await startExample(t, "lesson");
        const clients = [];
        for (let expected = 1; expected <= 3; expected += 1) {
          clients.push(await Client.connected(t, url, options));
          await Promise.all(clients.map((client) => client.hears("user count", expected)));
        }
        const heard = clients.map((client) => client.heard("user count"));
        assert.deepEqual(heard, [[1, 2, 3], [2, 3], [3]]);
      });

      test("the count falls when somebody leaves, and when somebody's connection breaks", async (t) => {
        const { url } = await startExample(t, "count");
        const network = await Network.to(t, url);
        const [stays, leaves, breaks] = [
          await Client.connected(t, url, options),
          await Client.connected(t, url, options),
          await Client.connected(t, network.url, { ...options, reconnection: false }),
        ];
        await Promise.all([stays, leaves, breaks].map((client) => client.hears("user count", 3)));
        leaves.socket.disconnect();
        await Promise.all([stays, breaks].map((client) => client.hears("user count", 2)));
        // Between two polls nobody could know.
        await network.isUsed();
        network.cut();
        await stays.hears("user count", 1);
        assert.deepEqual(leaves.disconnects, ["io client disconnect"]);
        assert.deepEqual(stays.disconnects, []);
      });

      test("who comes back after leaving is counted again", async (t) => {
        const { url } = await startExample(t, "count");
        const [stays, returns] = [await Client.connected(t, url, options), await Client.connected(t, url, options)];
        await stays.hears("user count", 2);
        const first = returns.socket.id;
        returns.socket.disconnect();
        await stays.hears("user count", 1);
        returns.socket.connect();
        await returns.arrival();
        await Promise.all([stays, returns].map((client) => client.hears("user count", 2)));
        assert.notEqual(returns.socket.id, first);
      });

      test("an acknowledgement carries back what was sent", async (t) => {
        const client = await echo(Client, t, options);
        assert.deepEqual(await said(client, "hello"), ["hello"]);
        assert.deepEqual(await said(client), []);
        const values = [0, -1.5, "", "ö€😀 \u2028", null, true, [], {}, { a: [{ b: 1 }] }];
        assert.deepEqual(await said(client, ...values), values);
      });

      test("acknowledgements asked for together reach their own callers", async (t) => {
        const client = await echo(Client, t, options);
        const numbers = Array.from({ length: 200 }, (_, number) => number);
        assert.deepEqual(await Promise.all(numbers.map((number) => said(client, number))), numbers.map((number) => [number]));
      });

      test("binary data goes both ways, with events and with acknowledgements", async (t) => {
        const client = await echo(Client, t, options);
        const data = [
          Buffer.from([]),
          { deep: [Buffer.from([0, 255]), "between", Buffer.from("text")] },
          { _placeholder: "no" },
          Buffer.from([0x34, 0x1e, 0x62]),
        ];
        assert.deepEqual(await said(client, ...data), data);
        client.socket.emit("message", ...data);
        await client.until(`'message-back'; ${client}`, () => client.events.length > 0);
        assert.deepEqual(client.events, [["message-back", ...data]]);
      });

      test("large text and binary data arrive whole", async (t) => {
        const client = await echo(Client, t, options);
        const text = "é".repeat(LARGE_BYTES / 2);
        const data = Buffer.alloc(LARGE_BYTES, "fanfare");
        assert.deepEqual(await said(client, text), [text]);
        assert.deepEqual(await said(client, data), [data]);
      });

      test("a message above the server's limit ends the connection, and the client comes back", async (t) => {
        const client = await echo(Client, t, options);
        client.socket.emit("message", "x".repeat(1_000_001));
        await client.until(() => `a second connection; ${client}`, () => client.connects === 2);
        assert.match(client.disconnects[0], /^transport (error|close)$/);
        assert.deepEqual(await said(client, "still here"), ["still here"]);
      });

      test("what is said in a room reaches all in it but the one who says it", async (t) => {
        const { url } = await startExample(t, "rooms");
        const [ann, ben, cleo] = [
          await Client.connected(t, url, options),
          await Client.connected(t, url, options),
          await Client.connected(t, url, options),
        ];
        assert.equal(await ann.ask("join", "kitchen"), 1);
        assert.equal(await ben.ask("join", "kitchen"), 2);
        assert.equal(await cleo.ask("join", "garden"), 1);
        const said = { room: "kitchen", text: "soup" };
        ann.socket.emit("say", said);
        await ben.until(() => `'said'; ${ben}`, () => ben.heard("said").length > 0);
        assert.deepEqual(ben.heard("said"), [said]);
        assert.deepEqual(ann.heard("members"), [{ room: "kitchen", members: 1 }, { room: "kitchen", members: 2 }]);
        // Each answer comes after everything that was sent to the same socket before it.
        await ann.ask("join", "kitchen");
        await cleo.ask("join", "garden");
        assert.deepEqual(ann.heard("said"), []);
        assert.deepEqual(cleo.heard("said"), []);
      });

      test("who leaves a room, or the server, is in it no longer", async (t) => {
        const { url } = await startExample(t, "rooms");
        const [ann, ben, cleo] = [
          await Client.connected(t, url, options),
          await Client.connected(t, url, options),
          await Client.connected(t, url, options),
        ];
        for (const client of [ann, ben, cleo]) await client.ask("join", "kitchen");
        assert.equal(await ben.ask("leave", "kitchen"), 2);
        cleo.socket.disconnect();
        await ann.until(() => `nobody but herself; ${ann}`, () => {
          if (ann.heard("members").at(-1).members === 1) return true;
          ann.socket.emit("join", "kitchen");
        });
        ann.socket.emit("say", { room: "kitchen", text: "anybody?" });
        await ann.ask("join", "garden");
        await ben.ask("join", "garden");
        assert.deepEqual(ben.heard("said"), []);
      });

      test("a namespace that is not there is refused, and the others stay", async (t) => {
        const client = await echo(Client, t, options);
        const other = new Client(t, client.socket.io.socket("/nobody"));
        assert.equal((await other.failure()).message, "Invalid namespace");
        assert.deepEqual(await said(client, "still here"), ["still here"]);
        assert.deepEqual(client.disconnects, []);
        assert.equal(other.connects, 0);
      });

      test("after a restart of the server everyone comes back and is counted right", async (t) => {
        const server = await startExample(t, "count");
        const [ann, ben] = [await Client.connected(t, server.url, options), await Client.connected(t, server.url, options)];
        await Promise.all([ann, ben].map((client) => client.hears("user count", 2)));
        await server.stop();
        await Promise.all([ann, ben].map((client) => client.loses()));
        await server.start();
        for (const client of [ann, ben]) {
          await client.arrival();
          await client.hears("user count", 2);
          assert.match(client.disconnects.join(), /^transport (close|error)$/);
        }
      });

      test("what was emitted while the server was away arrives when it is back", async (t) => {
        const server = await startExample(t, "echo");
        const client = await Client.connected(t, server.url, options);
        await server.stop();
        await client.loses();
        const answer = said(client, "kept");
        await server.start();
        assert.deepEqual(await answer, ["kept"]);
      });

      test("1,000 events come back in order", async (t) => {
        const { url } = await startExample(t, "echo");
        const client = Client.open(t, url, options);
        for (let number = 0; number < 1_000; number += 1) client.socket.emit("message", number);
        await client.hears("message-back", 999);
        assert.deepEqual(client.heard("message-back"), Array.from({ length: 1_000 }, (_, number) => number));
      });

      test("a foreign page is refused", async (t) => {
        const { url } = await startExample(t, "lesson");
        for (const origin of ["http://evil.example", "null", `${url}.evil.example`]) {
          const foreign = Client.open(t, url, { ...options, reconnection: false, extraHeaders: { origin } });
          const error = await foreign.failure();
          assert.match(error.message, /^(xhr poll|websocket) error$/);
        }
        const own = await Client.connected(t, url, { ...options, extraHeaders: { origin: url } });
        await own.hears("user count", 1);
      });
    });
  }

  test("1,000 events keep their order across the upgrade, both ways", async (t) => {
    const { url } = await startExample(t, "echo");
    const network = await Network.to(t, url);
    const upgrade = network.holdWebSockets();
    const client = Client.open(t, network.url, WAYS.upgrade);
    const transports = new Set();
    let sent = 0;
    const send = () => {
      // Every seventh takes three frames on WebSocket, and three packets of a payload.
      client.socket.emit("message", sent, ...(sent % 7 === 0 ? [Buffer.from([sent]), Buffer.from("two")] : []));
      sent += 1;
    };
    client.socket.once("connect", () => Array.from({ length: 20 }, send));
    client.socket.on("message-back", (number) => {
      transports.add(client.transport);
      if (number === 300) upgrade();
      if (sent < 1_000) send();
    });
    await client.hears("message-back", 999);
    assert.deepEqual(client.heard("message-back"), Array.from({ length: 1_000 }, (_, number) => number));
    assert.deepEqual([...transports], ["polling", "websocket"]);
    assert.deepEqual(client.disconnects, []);
  });

  test("a foreign page with a session is refused the upgrade, and every request on polling", async (t) => {
    const { url } = await startExample(t, "count");
    const extraHeaders = { origin: "http://evil.example" };
    const client = Client.open(t, url, { ...WAYS.upgrade, transportOptions: { websocket: { extraHeaders } } });
    const refused = new Promise((resolve) => {
      client.socket.io.on("open", () => client.socket.io.engine.on("upgradeError", resolve));
    });
    assert.match((await within(refused, "the refusal of the upgrade")).message, /^probe error/);
    await client.hears("user count", 1);
    assert.equal(client.transport, "polling");

    const session = `${url}/socket.io/?EIO=4&transport=polling&sid=${client.socket.io.engine.id}`;
    const get = await fetch(session, { headers: extraHeaders });
    const post = await fetch(session, { method: "POST", headers: extraHeaders, body: "41" });
    assert.deepEqual([get.status, post.status], [403, 403]);
    assert.equal(post.headers.get("access-control-allow-origin"), null);
    // The stranger's request has not cost the visitor the connection.
    const other = await Client.connected(t, url);
    await Promise.all([client, other].map((each) => each.hears("user count", 2)));
  });
}

/** A client of the example that says everything back. */
async function echo(Client, t, options) {
  const { url } = await startExample(t, "echo");
  return Client.connected(t, url, options);
}

/** What the echo answers. */
function said(client, ...args) {
  return client.asks("message-with-ack", ...args);
}

//! What each maker's client can do, against the example `talkback`, over polling, over WebSocket and through the upgrade.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WAYS } from "./lib/client.mjs";
import { PATIENCE_MS } from "./lib/deadline.mjs";
import { MAKERS } from "./lib/makers.mjs";
import { Network } from "./lib/network.mjs";
import { startExample } from "./lib/program.mjs";
import { proves } from "./lib/proofs.mjs";
import { FEATURES, LACKS } from "./lib/table.mjs";

const DEEP = { deep: [Buffer.from([0, 0x1e, 255]), "between", { deeper: Buffer.from("text") }] };

/** What a proof needs: the server, and clients that have arrived. */
class Ground {
  constructor(t, maker, way, server) {
    Object.assign(this, { t, maker, way, server });
  }

  open(options = {}) {
    return this.maker.open(this.t, options.url ?? this.server.url, { way: this.way, ...options });
  }

  async client(options) {
    const client = this.open(options);
    await this.arrival(client);
    return client;
  }

  /** Waits until the server, too, has `client` on the last of its transports. */
  async arrival(client) {
    await client.until(() => `connecting; ${client}`, () => client.id !== undefined);
    const wanted = WAYS[this.way].transports.at(-1);
    const deadline = Date.now() + PATIENCE_MS;
    for (let now; now !== wanted; ) {
      assert(Date.now() < deadline, `on ${now}, not on ${wanted}; ${client}`);
      [now] = await client.asks("transport", null);
    }
  }
}

const PROOFS = {
  async connecting(ground) {
    const client = await ground.client();
    assert.deepEqual([client.connects, client.disconnects], [1, []]);
  },

  async auth(ground) {
    for (const [auth, why] of [[{ name: "Ann", word: "abracadabra" }, /wrong word/], [{}, /name and word are needed/]]) {
      const stranger = ground.open({ nsp: "/members", auth });
      const error = await stranger.until(() => `a refusal; ${stranger}`, () => stranger.errors.at(-1));
      const told = `${error.message} ${JSON.stringify(error.data)}`;
      assert.match(told, why);
      assert.match(told, /"field":"word"/);
      assert.equal(stranger.connects, 0);
    }
    const member = await ground.client({ nsp: "/members", auth: { name: "Ann", word: "sesame" } });
    assert.deepEqual(await member.asks("who am I", null), ["Ann"]);
  },

  async asking(ground) {
    const client = await ground.client();
    const values = ["ö€😀", -1.5, null, true, [], { a: [{ b: 1 }] }];
    assert.deepEqual(await client.asks("echo", ...values), values);
    const numbers = Array.from({ length: ground.maker.together ?? 20 }, (_, number) => number);
    assert.deepEqual(await Promise.all(numbers.map((number) => client.asks("echo", number))), numbers.map((number) => [number]));
  },

  async answering(ground) {
    const client = await ground.client();
    assert.deepEqual(await client.asks("ask me", "Tea?", { sugar: 2 }), ["Tea?", { sugar: 2 }]);
  },

  async binary(ground) {
    const client = await ground.client();
    const data = Buffer.from([0, 0x34, 255]);
    client.emit("say", data);
    await client.until(() => `the data; ${client}`, () => client.heard("said").length > 0);
    assert.deepEqual(client.heard("said"), [data]);
  },

  async nested(ground) {
    const client = await ground.client();
    client.emit("say", DEEP, Buffer.from([]));
    await client.until(() => `the data; ${client}`, () => client.heard("said").length > 0);
    assert.deepEqual(client.events.at(-1), ["said", DEEP, Buffer.from([])]);
    assert.deepEqual(await client.asks("echo", DEEP, 1), [DEEP, 1]);
    assert.deepEqual(await client.asks("ask me", DEEP, 1), [DEEP, 1]);
  },

  async rooms(ground) {
    const [ann, ben, cleo] = [await ground.client(), await ground.client(), await ground.client()];
    for (const [client, room] of [[ann, "kitchen"], [ben, "kitchen"], [cleo, "garden"]]) {
      assert.deepEqual(await client.asks("join", room), [[room]]);
    }
    await ann.asks("tell", "kitchen", "soup");
    await ben.until(() => `what is told; ${ben}`, () => ben.heard("told").length > 0);
    // Each answer comes after everything that was sent to the same socket before it.
    for (const client of [ann, ben, cleo]) await client.asks("echo", 1);
    assert.deepEqual([ann, ben, cleo].map((client) => client.heard("told")), [[], ["soup"], []]);
  },

  async order(ground) {
    const client = await ground.client();
    for (let number = 0; number < 1_000; number += 1) client.emit("say", number);
    await client.until(() => `the last; ${client}`, () => client.heard("said").at(-1) === 999);
    assert.deepEqual(client.heard("said"), Array.from({ length: 1_000 }, (_, number) => number));
  },

  async volatile(ground) {
    const client = await ground.client();
    // Between two polls nobody hears one, so there are several; the answers keep the pace.
    const deadline = Date.now() + PATIENCE_MS;
    for (let number = 0; client.heard("tick").length < 3; number += 1) {
      assert(Date.now() < deadline, `three ticks; ${client}`);
      client.emit("tick", number);
      await client.asks("echo", number);
    }
    const ticks = client.heard("tick");
    assert.deepEqual(ticks, [...new Set(ticks)].sort((a, b) => a - b));
  },

  async coding(ground) {
    const client = await ground.client();
    const text = "once more ".repeat(1_000);
    assert.deepEqual(await client.asks("echo", text), [text]);
    await client.until(() => `gzip, not ${[...client.codings]}`, () => client.codings.has("gzip"));
  },

  async deflate(ground) {
    const client = await ground.client();
    // The server takes every offer, and sends compressed from 64 bytes on.
    assert.deepEqual(await client.asks("compresses", null), [true]);
    const texts = ["once more ".repeat(1_000), "ö€😀".repeat(100), "short"];
    for (const text of texts) assert.deepEqual(await client.asks("echo", text), [text]);
  },

  async restart(ground) {
    const client = await ground.client();
    await ground.server.stop();
    await client.until(() => `the loss; ${client}`, () => client.disconnects.length > 0 || client.errors.length > 0);
    await ground.server.start();
    await client.until(() => `the return; ${client}`, () => client.connects === 2);
    await ground.arrival(client);
    assert.deepEqual(await client.asks("echo", "still here"), ["still here"]);
  },

  async recovery(ground) {
    const network = await Network.to(ground.t, ground.server.url);
    const [ann, ben] = [await ground.client({ url: network.url }), await ground.client()];
    for (const client of [ann, ben]) await client.asks("join", "kitchen");
    const { id } = ann;
    await ben.asks("tell", "kitchen", "one");
    await ann.until(() => `'one'; ${ann}`, () => ann.heard("told").length === 1);
    await network.isUsed();
    // By then the server has it, too: a poll that broke on its way would leave the session there until it is pinged.
    for (let turn = 0; turn < 3; turn += 1) await ben.asks("echo", turn);
    network.break();
    await ann.until(() => `the loss; ${ann}`, () => ann.disconnects.length === 1);
    for (const text of ["two", "three"]) await ben.asks("tell", "kitchen", text);
    network.mend();
    await ann.until(() => `the return; ${ann}`, () => ann.connects === 2);
    await ben.asks("tell", "kitchen", "four");
    await ann.until(() => `'four'; ${ann}`, () => ann.heard("told").at(-1) === "four");
    assert.deepEqual(ann.heard("told"), ["one", "two", "three", "four"]);
    assert.equal(ann.id, id);
  },
};

/** Registers all that `client`, a column of the table, is able to do. */
export function testFeatures(client) {
  for (const way of Object.keys(WAYS)) {
    describe(`${MAKERS[client].name} over ${way}`, () => {
      for (const [feature, proof] of Object.entries(PROOFS)) {
        if (LACKS[client][feature] !== undefined || !FEATURES[feature].ways.includes(way)) continue;
        test(FEATURES[feature].name, proves(feature, client, way, async (t) => {
          await proof(new Ground(t, MAKERS[client], way, await startExample(t, "talkback", env(feature))));
        }));
      }
    });
  }
}

/** Recovery gives each event one more argument, so only its own proof has it on. */
function env(feature) {
  return feature === "recovery" ? { RECOVERY: "on" } : {};
}

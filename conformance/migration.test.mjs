//! The programs of the migration guides: they do the same, and the one on fanfare is no longer than the one it comes from.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, test } from "node:test";
import { play, recover } from "./chat.mjs";
import { WAYS } from "./lib/client.mjs";
import { foreign, startExample, startOnPort } from "./lib/program.mjs";

const NODE = fileURLToPath(new URL("servers/chat.mjs", import.meta.url));
const SOCKETIOXIDE = fileURLToPath(new URL("rust/src/bin/chat.rs", import.meta.url));
const FANFARE = fileURLToPath(new URL("../crates/fanfare/examples/chat.rs", import.meta.url));

const onFanfare = (t) => startExample(t, "chat");
const onNode = (t) => startOnPort(t, "node", [NODE]);
const onSocketioxide = (t) => startOnPort(t, foreign("chat"));

for (const [way, options] of Object.entries(WAYS)) {
  describe(`over ${way}`, () => {
    test("the chat does on fanfare what it did on Node", async (t) => {
      const [before, after] = [await onNode(t), await onFanfare(t)];
      assert.deepEqual(await play(t, after.url, options), await play(t, before.url, options));
    });

    test("who loses the connection to the chat is taken back, on Node and on fanfare", async (t) => {
      for (const server of [await onNode(t), await onFanfare(t)]) await recover(t, server.url, options);
    });

    test("the chat does on fanfare what it did on socketioxide", { skip: noForeign() }, async (t) => {
      const [before, after] = [await onSocketioxide(t), await onFanfare(t)];
      assert.deepEqual(await playOn("fanfare", t, after, options), await playOn("socketioxide", t, before, options));
    });
  });
}

test("the chat is no longer on fanfare than before", async () => {
  const [after, ...before] = await Promise.all([FANFARE, NODE, SOCKETIOXIDE].map(lengthOf));
  for (const length of before) assert(after <= length, `${after} lines, from ${length}`);
});

/** The same as `play`, and says on which server it failed. */
async function playOn(name, t, server, options) {
  try {
    return await play(t, server.url, options);
  } catch (error) {
    throw new Error(`on ${name}: ${error.message}`, { cause: error });
  }
}

/** Lines that are neither blank nor a comment. */
async function lengthOf(file) {
  const lines = (await readFile(file, "utf8")).split("\n");
  return lines.filter((line) => !/^\s*(\/\/.*)?$/.test(line)).length;
}

function noForeign() {
  return process.env.FANFARE_FOREIGN ? false : "FANFARE_FOREIGN does not say where other makers' programs are";
}

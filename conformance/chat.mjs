//! What every chat of the migration guides is put through; the same words to each, and the same answers from each.

import assert from "node:assert/strict";
import { Client } from "./lib/client.mjs";
import { Network } from "./lib/network.mjs";

/** Plays the chat at `url` through, and gives what each client has heard, in an order that no two runs differ in. */
export async function play(t, url, options) {
  const guest = Client.open(t, `${url}/chat`, options);
  assert.equal((await guest.failure()).message, "a name is needed");
  const board = await Client.connected(t, `${url}/board`, options);
  const [ann, ben, cleo] = [await enters(t, url, options, "Ann"), await enters(t, url, options, "Ben"), await enters(t, url, options, "Cleo")];
  const tab = await enters(t, url, options, "Cleo");
  for (const client of [ann, ben, cleo, tab]) await client.until(() => `4 pages of 3 people; ${client}`, () => isOnline(client, 4, 3));
  ann.socket.on("question", (text, answer) => answer(text === "Tea?"));
  ben.socket.on("question", (text, answer) => answer(text === "6 × 7?" ? 42 : false));

  const answers = [
    await ann.asks("say", { room: "hall", text: "too early" }),
    await ann.asks("enter", "hall"),
    await ben.asks("enter", "hall"),
    await cleo.asks("enter", "hall"),
    await ann.asks("say", { room: "hall", text: "hello" }),
    await cleo.asks("vote", "hall", "Tea?"),
    await ben.asks("quiz"),
    await ann.asks("quiz"),
  ];
  ann.emit("say", { room: "hall", text: "x".repeat(201) });
  answers.push(await ann.asks("say", { room: "hall", text: "short" }), await ben.asks("leave", "hall"));
  await cleo.until(() => `who left; ${cleo}`, () => cleo.heard("left").length === 1);
  tab.socket.disconnect();
  cleo.socket.disconnect();
  for (const client of [ann, ben]) await client.until(() => `2 pages of 2 people; ${client}`, () => isOnline(client, 2, 2));
  await ann.until(() => `two who left; ${ann}`, () => ann.heard("left").length === 2);
  await board.until(() => `what was said; ${board}`, () => board.heard("said").length === 2);
  return { answers, heard: [ann, ben, cleo, tab, board].map(heard) };
}

/** Whether a page that loses its connection is who it was and misses nothing. */
export async function recover(t, url, options) {
  const network = await Network.to(t, url);
  const [ann, ben] = [await enters(t, network.url, options, "Ann"), await enters(t, url, options, "Ben")];
  for (const client of [ann, ben]) await client.asks("enter", "hall");
  await ben.asks("say", { room: "hall", text: "one" });
  await ann.until(() => `'one'; ${ann}`, () => ann.heard("said").length === 1);
  const { id } = ann;
  await network.isUsed();
  network.cut();
  await ann.until(() => `the loss; ${ann}`, () => ann.disconnects.length === 1);
  await ben.asks("say", { room: "hall", text: "two" });
  await ann.until(() => `'two'; ${ann}`, () => ann.heard("said").length === 2);
  assert.deepEqual([ann.socket.recovered, ann.id, ann.heard("welcome")], [true, id, ["Ann"]]);
}

async function enters(t, url, options, name) {
  const client = await Client.connected(t, `${url}/chat`, { ...options, auth: { name } });
  await client.until(() => `the welcome; ${client}`, () => client.heard("welcome").length === 1);
  return client;
}

function isOnline(client, pages, people) {
  const last = client.heard("online").at(-1);
  return last?.[0] === pages && last[1] === people;
}

/** All events but those of the count, whose number is a matter of time, without their offsets. */
function heard(client) {
  const events = client.events.filter(([name]) => name !== "online" && name !== "question");
  return events.map(([name, first]) => [name, first]);
}

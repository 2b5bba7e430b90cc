//! The room's sockets: who is let in, who is here, what is said.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Client, WAYS } from "./lib/client.mjs";
import { startRoom } from "./lib/program.mjs";
import { Visitor, visit } from "./lib/visitor.mjs";

const ANSWER_MS = 5_000;
const GRACE_MS = 3_000;

for (const [way, options] of Object.entries(WAYS)) {
  describe(`over ${way}`, () => {
    test("who has not signed in is told what to do, and is never counted", async (t) => {
      const { url } = await startRoom(t);
      const ann = await (await Visitor.signedIn(t, url, "Ann")).enters();
      for (const extraHeaders of [{}, { cookie: "fanfare_session=forged" }]) {
        const stranger = Client.open(t, url, { ...options, extraHeaders });
        assert.match((await stranger.failure()).message, /^not signed in.*open \/ and enter a name/);
        assert.equal(stranger.socket.active, false);
      }
      const ben = await (await Visitor.signedIn(t, url, "Ben")).enters(options);
      await Promise.all([ann, ben].map((tab) => tab.hears("user count", 2)));
      assert.deepEqual(ann.heard("user count"), [1, 2]);
    });

    test("a foreign page is refused with the visitor's own cookie", async (t) => {
      const { url } = await startRoom(t);
      const ann = await Visitor.signedIn(t, url, "Ann");
      for (const origin of ["http://evil.example", "null", "http://127.0.0.1"]) {
        const extraHeaders = { cookie: ann.cookie, origin };
        const foreign = Client.open(t, url, { ...options, reconnection: false, extraHeaders });
        assert.match((await foreign.failure()).message, /^(xhr poll|websocket) error$/, origin);
      }
      await (await ann.enters(options)).hears("user count", 1);
    });

    test("two people and three tabs are a count of 3 and 2 people", async (t) => {
      const { url } = await startRoom(t);
      const [ann, ben] = [await Visitor.signedIn(t, url, "Ann"), await Visitor.signedIn(t, url, "Ben")];
      const tabs = [await ann.enters(options)];
      await tabs[0].hears("user count", 1);
      tabs.push(await ben.enters(options));
      await Promise.all(tabs.map((tab) => tab.hears("user count", 2)));
      tabs.push(await ann.enters(options));
      await Promise.all(tabs.map((tab) => tab.hears("user count", 3)));

      assert.deepEqual(tabs.map(seen), [
        { people: ["Ann"], total: 1, you: "Ann" },
        { people: ["Ann", "Ben"], total: 2, you: "Ben" },
        { people: ["Ann: 2 tabs", "Ben"], total: 2, you: "Ann" },
      ]);
      const [annId, benId] = tabs.map((tab) => tab.heard("users")[0].you.id);
      const came = (name, currentUsers, id) => ({ username: name, name, currentUsers, connected: true, id });
      assert.deepEqual(tabs[0].heard("user"), [came("Ann", 1, annId), came("Ben", 2, benId)]);
      assert.deepEqual(tabs[2].heard("user"), []);
      await tabs[1].until(() => `Ann's second tab; ${tabs[1]}`, () => tabs[1].heard("tabs").length > 0);
      assert.deepEqual(tabs[1].heard("tabs"), [{ id: annId, tabs: 2 }]);

      tabs[2].socket.disconnect();
      await Promise.all(tabs.slice(0, 2).map((tab) => tab.hears("user count", 2)));
    });

    test("what somebody says reaches everyone with the name, and is answered with its id", async (t) => {
      const { url } = await startRoom(t);
      const [ann, ben] = [await Visitor.signedIn(t, url, "Ann"), await Visitor.signedIn(t, url, "Ben")];
      const tabs = [await ann.enters(options), await ben.enters(options), await ann.enters(options)];
      const before = Date.now();
      const texts = ["hello", "<b>&amp;</b>", "two\nlines", "😀".repeat(2_000)];
      const ids = [];
      for (const [index, text] of texts.entries()) ids.push((await say(tabs[index % 2], text)).id);
      for (const tab of tabs) {
        await tab.until(() => `${texts.length} messages; ${tab}`, () => tab.heard("chat message").length === texts.length);
        const heard = tab.heard("chat message");
        const names = ["Ann", "Ben", "Ann", "Ben"];
        const expected = texts.map((message, index) => ({ username: names[index], name: names[index], message, id: ids[index] }));
        assert.deepEqual(heard.map(({ at, by, ...rest }) => rest), expected);
        assert.deepEqual(heard.map(({ by }) => by), heard.map((_, index) => heard[index % 2].by));
        for (const { at } of heard) assert(Number.isInteger(at) && before <= at && at <= Date.now(), `${at}`);
      }
      assert.deepEqual(ids, ids.toSorted((one, other) => one - other));
      assert.equal(new Set(ids).size, ids.length);
    });

    test("what is no message is answered with the rule, reaches nobody, and the connection lives", async (t) => {
      const { url } = await startRoom(t);
      const [ann, ben] = [await Visitor.signedIn(t, url, "Ann"), await Visitor.signedIn(t, url, "Ben")];
      const [writer, reader] = [await ann.enters(options), await ben.enters(options)];
      const rule = /^a message (has|is a string of) 1 to 2,000 characters; th/;
      for (const [value, why] of [
        ["", /has 0$/],
        ["x".repeat(2_001), /has 2,001$/],
        ["x".repeat(1_000_000), /has 1,000,000$/],
        ["€".repeat(1_000_000), /has 1,000,000$/],
        [5, /this is a number$/],
        [null, /this is null$/],
        [["hello"], /this is an array$/],
        [{ text: "hello" }, /this is an object$/],
        [Buffer.from("hello"), /binary data$/],
      ]) {
        const { error, id } = await say(writer, value);
        assert.match(error, rule);
        assert.match(error, why);
        assert.equal(id, undefined);
      }
      assert.match((await say(writer, "ding\u0007")).error, /^a message has no control characters.*U\+0007$/);
      assert.match((await writer.socket.timeout(ANSWER_MS).emitWithAck("chat message")).error, /this is nothing$/);
      writer.socket.emit("chat message", "x".repeat(3_000));
      assert.equal((await say(writer, "still here")).error, undefined);
      await reader.until(() => `the message; ${reader}`, () => reader.heard("chat message").length > 0);
      assert.deepEqual(reader.heard("chat message").map(({ message }) => message), ["still here"]);
      assert.deepEqual([writer.disconnects, writer.connects], [[], 1]);
    });

    test("signing out ends all sockets of that session, and of no other", async (t) => {
      const { url } = await startRoom(t);
      const [ann, ben] = [await Visitor.signedIn(t, url, "Ann"), await Visitor.signedIn(t, url, "Ben")];
      const [stays, ...tabs] = [await ben.enters(options), await ann.enters(options), await ann.enters(options)];
      await stays.hears("user count", 3);
      await ann.signOut();
      for (const tab of tabs) {
        await tab.until(() => `the end; ${tab}`, () => tab.disconnects.length > 0);
        assert.deepEqual(tab.disconnects, ["io server disconnect"]);
      }
      await stays.hears("user count", 1);
      await left(stays, "Ann");
      assert.deepEqual(stays.disconnects, []);
      // The client does not come back by itself, and with that cookie it can't.
      tabs[0].socket.connect();
      assert.match((await tabs[0].failure()).message, /^not signed in/);
    });
  });
}

test("who closes the last tab has left after 3 s, while the count falls at once", async (t) => {
  const { url } = await startRoom(t);
  const [ann, ben] = [await Visitor.signedIn(t, url, "Ann"), await Visitor.signedIn(t, url, "Ben")];
  const [stays, leaves] = [await ben.enters(), await ann.enters()];
  await stays.hears("user count", 2);
  const start = performance.now();
  leaves.socket.disconnect();
  await stays.hears("user count", 1);
  assert(performance.now() - start < GRACE_MS);
  assert.equal(stays.heard("user").at(-1).connected, true);
  const { currentUsers } = await left(stays, "Ann");
  assert(performance.now() - start >= GRACE_MS);
  assert.equal(currentUsers, 1);
  assert.deepEqual(seen(await ben.enters()), { people: ["Ben: 2 tabs"], total: 1, you: "Ben" });
});

test("who comes back within 3 s has never left", async (t) => {
  const { url } = await startRoom(t);
  const [ann, ben] = [await Visitor.signedIn(t, url, "Ann"), await Visitor.signedIn(t, url, "Ben")];
  const [stays, reloads] = [await ben.enters(), await ann.enters()];
  reloads.socket.disconnect();
  await stays.hears("user count", 1);
  await ann.enters();
  await stays.hears("user count", 2);
  // Cleo's 3 s begin after Ann's, so Ann would be first.
  const cleo = await (await Visitor.signedIn(t, url, "Cleo")).enters();
  cleo.socket.disconnect();
  await left(stays, "Cleo");
  const seen = stays.heard("user").map(({ name, connected }) => `${name} ${connected ? "came" : "left"}`);
  assert.deepEqual(seen, ["Ben came", "Ann came", "Cleo came", "Cleo left"]);
});

test("a newcomer is told of the first 50 people, and how to ask for more", async (t) => {
  const { url } = await startRoom(t);
  const names = Array.from({ length: 52 }, (_, index) => `Guest ${index + 1}`);
  let last;
  for (const name of names) last = await (await Visitor.signedIn(t, url, name)).enters();
  assert.deepEqual(seen(last), { people: names.slice(0, 50), total: 52, you: "Guest 52" });
  const { people, next } = await ask(last, "people", { after: last.heard("users")[0].next });
  assert.deepEqual(people.map(({ name }) => name), names.slice(50));
  assert.equal(next, null);
  await last.hears("user count", 52);
});

test("after a restart everyone is still signed in, comes back, and is counted right", async (t) => {
  const server = await startRoom(t);
  const [ann, ben] = [await Visitor.signedIn(t, server.url, "Ann"), await Visitor.signedIn(t, server.url, "Ben")];
  const tabs = [await ann.enters(WAYS.upgrade), await ben.enters(WAYS.polling), await ann.enters(WAYS.websocket)];
  await Promise.all(tabs.map((tab) => tab.hears("user count", 3)));
  await server.stop();
  await Promise.all(tabs.map((tab) => tab.loses()));
  await server.start();
  for (const tab of tabs) {
    await tab.arrival();
    await tab.hears("user count", 3);
    assert.match(tab.disconnects.join(), /^transport (close|error)$/);
    await tab.until(() => `both people; ${tab}`, () => {
      if (tab.heard("users").length === 0) return false;
      const came = tab.events.slice(tab.events.findIndex(([event]) => event === "users"));
      return tab.heard("users")[0].total + came.filter(([event]) => event === "user").length === 2;
    });
    assert.equal(tab.connects, 2);
  }
  assert.equal((await visit(server.url, "/chat", { headers: { cookie: ann.cookie } })).status, 200);
});

function say(tab, value) {
  return ask(tab, "chat message", value);
}

function ask(tab, event, value) {
  return tab.socket.timeout(ANSWER_MS).emitWithAck(event, value);
}

/** What a newcomer was told of the people, once. */
function seen(tab) {
  const [{ people, total, you }, ...more] = tab.heard("users");
  assert.deepEqual(more, []);
  return { people: people.map(({ name, tabs }) => (tabs === 1 ? name : `${name}: ${tabs} tabs`)), total, you: you.name };
}

/** Waits until the tab is told that this person has left. */
async function left(tab, name) {
  return tab.until(() => `${name} to leave; ${tab}`, () => {
    return tab.heard("user").find((user) => user.name === name && !user.connected);
  });
}

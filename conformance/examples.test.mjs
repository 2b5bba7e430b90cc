//! The examples auth, acks and binary with the official client 4.x, over polling, over WebSocket and through the upgrade.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { both, Browser, noBrowser } from "./lib/browser.mjs";
import { Client, WAYS } from "./lib/client.mjs";
import { within } from "./lib/deadline.mjs";
import { startExample } from "./lib/program.mjs";
import { cookieOf, visit } from "./lib/visitor.mjs";

const NOT_SIGNED_IN = "You are not signed in: sign in at / first.";
const MAX_FILE_BYTES = 700_000;

for (const [way, options] of Object.entries(WAYS)) {
  describe(`over ${way}`, () => {
    test("auth: who is not signed in is refused, and told what to do", async (t) => {
      const { url } = await startExample(t, "auth");
      await isRefused(t, url, options);
    });

    test("auth: a forged cookie opens neither page nor socket", async (t) => {
      const { url } = await startExample(t, "auth");
      const cookie = await signIn(url, "Ann");
      for (const forged of ["id=", "id=Ann", `${cookie}A`, changed(cookie), cookie.replace("id=", "other=")]) {
        await isRefused(t, url, options, forged);
      }
      await enters(t, url, options, cookie);
    });

    test("auth: sockets have the name with which their session signed in, and are counted", async (t) => {
      const { url } = await startExample(t, "auth");
      const cookies = [await signIn(url, "Ann"), await signIn(url, "Ben & <b>")];
      const [ann, annToo, ben] = [
        await enters(t, url, options, cookies[0]),
        await enters(t, url, options, cookies[0]),
        await enters(t, url, options, cookies[1]),
      ];
      assert.deepEqual(await ann.asks("whoami"), ["Ann"]);
      assert.deepEqual(await annToo.asks("whoami"), ["Ann"]);
      assert.deepEqual(await ben.asks("whoami"), ["Ben & <b>"]);
      await Promise.all([ann, annToo, ben].map((client) => client.hears("user count", 3)));
    });

    test("auth: a sign-out ends the sockets of that session, and of no other", async (t) => {
      const { url } = await startExample(t, "auth");
      const [here, elsewhere, other] = [await signIn(url, "Ann"), await signIn(url, "Ann"), await signIn(url, "Ben")];
      const leaving = [await enters(t, url, options, here), await enters(t, url, options, here)];
      const staying = [await enters(t, url, options, elsewhere), await enters(t, url, options, other)];
      await staying[1].hears("user count", 4);
      assert.equal((await post(url, "/logout", here)).status, 303);
      for (const client of leaving) await ended(client);
      await Promise.all(staying.map((client) => client.hears("user count", 2)));
      assert.deepEqual(staying.map(({ disconnects }) => disconnects), [[], []]);
      await isRefused(t, url, options, here);
    });

    test("auth: who signs in as somebody else leaves the sockets of before", async (t) => {
      const { url } = await startExample(t, "auth");
      const before = await signIn(url, "Ann");
      const ann = await enters(t, url, options, before);
      const after = await signIn(url, "Ben", before);
      assert.notEqual(after, before);
      await ended(ann);
      await isRefused(t, url, options, before);
      assert.deepEqual(await (await enters(t, url, options, after)).asks("whoami"), ["Ben"]);
    });

    test("auth: a foreign page cannot use the cookie of a visitor", async (t) => {
      const { url } = await startExample(t, "auth");
      const extraHeaders = { cookie: await signIn(url, "Ann"), origin: "http://evil.example" };
      const foreign = Client.open(t, url, { ...options, reconnection: false, extraHeaders });
      assert.match((await foreign.failure()).message, /^(xhr poll|websocket) error$/);
    });

    test("acks: a client asks and is answered, also when it asks wrongly", async (t) => {
      const { url } = await startExample(t, "acks");
      const client = await Client.connected(t, url, options);
      assert.deepEqual(await client.asks("add", 1, 2), [3]);
      assert.deepEqual(await client.asks("add", -0.5, 1e3), [999.5]);
      for (const wrong of [["one", 2], [1], [], [[1, 2]]]) {
        const [{ error }, ...more] = await client.asks("add", ...wrong);
        assert.match(error, /invalid (type|length).*expected/);
        assert.deepEqual(more, []);
      }
    });

    test("acks: who is late, leaves or answers something else is counted so", async (t) => {
      const { url } = await startExample(t, "acks");
      const [asker, yes, no, leaves, unsure, late] = await Promise.all(
        Array.from({ length: 6 }, () => Client.connected(t, url, options)),
      );
      answers(asker, () => assert.fail("the asker is asked"));
      answers(yes, (text) => text === "Tea?");
      answers(no, (text) => text !== "Tea?");
      answers(unsure, () => "perhaps");
      leaves.socket.on("question", () => leaves.socket.disconnect());
      let answerLate;
      late.socket.once("question", (_, answer) => (answerLate = answer));
      const votes = await asker.ask("ask the others", "Tea?");
      assert.match(votes.spoilt[0], /"perhaps".*expected a boolean/);
      assert.deepEqual(votes, { yes: 1, no: 1, late: 1, left: 1, spoilt: votes.spoilt, unasked: 0 });
      assert.equal(votes.spoilt.length, 1);

      // An answer that is too late is none to the next question.
      answerLate(true);
      answers(late, () => false);
      const { late: tooLate, left, ...others } = await asker.ask("ask the others", "Tea?");
      assert.deepEqual([tooLate, left, others.yes, others.no], [0, 0, 1, 2]);
    });

    test("acks: two who ask each other at the same time are both answered", async (t) => {
      const { url } = await startExample(t, "acks");
      const [ann, ben] = [await Client.connected(t, url, options), await Client.connected(t, url, options)];
      const votes = [ann.ask("ask the others", "Tea?"), ben.ask("ask the others", "Coffee?")];
      const questions = [await question(ann), await question(ben)];
      assert.deepEqual(questions.map(({ text }) => text), ["Coffee?", "Tea?"]);
      for (const { answer } of questions) answer(true);
      assert.deepEqual((await Promise.all(votes)).map(({ yes }) => yes), [1, 1]);
    });

    test("acks: what an asker sends next is answered after the votes", async (t) => {
      const { url } = await startExample(t, "acks");
      const [asker, other] = [await Client.connected(t, url, options), await Client.connected(t, url, options)];
      answers(other, () => true);
      const answered = [];
      await Promise.all([
        asker.ask("ask the others", "Tea?").then(() => answered.push("votes")),
        asker.ask("add", 1, 2).then(() => answered.push("sum")),
      ]);
      assert.deepEqual(answered, ["votes", "sum"]);
    });

    test("binary: a file reaches everyone else in the room, whole", async (t) => {
      const { url } = await startExample(t, "binary");
      const [ann, ben, cleo] = await inRooms(t, url, options, ["kitchen", "kitchen", "garden"]);
      const files = [
        { name: "every byte", data: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)) },
        { name: "empty", data: Buffer.alloc(0) },
        { name: "largest", data: Buffer.alloc(MAX_FILE_BYTES, "fanfare") },
      ];
      for (const file of files) assert.deepEqual(await ann.asks("share", "kitchen", file), [{ receivers: 1 }]);
      await ben.until(() => `three files; ${ben}`, () => ben.events.length === 3);
      assert.deepEqual(ben.events, files.map((file) => ["file", ann.socket.id, file]));
      // Each answer comes after everything that was sent to the same socket before it.
      await cleo.ask("join", "garden");
      assert.deepEqual([ann.events, cleo.events], [[], []]);
    });

    test("binary: a file above the limit is refused, and the connection stays", async (t) => {
      const { url } = await startExample(t, "binary");
      const [ann, ben] = await inRooms(t, url, options, ["kitchen", "kitchen"]);
      const file = { name: "film", data: Buffer.alloc(MAX_FILE_BYTES + 1) };
      const error = "film has 700001 bytes, and 700000 are the most: share a smaller file.";
      assert.deepEqual(await ann.asks("share", "kitchen", file), [{ error }]);
      await ben.ask("join", "kitchen");
      assert.deepEqual(ben.events, []);
      assert.deepEqual(ann.disconnects, []);
    });

    test("binary: what is no file is refused", async (t) => {
      const { url } = await startExample(t, "binary");
      const [ann, ben] = await inRooms(t, url, options, ["kitchen", "kitchen"]);
      for (const wrong of [{ name: "a" }, { name: "a", data: "text" }, { name: 5, data: Buffer.from("a") }, Buffer.from("a")]) {
        const { error } = await ann.ask("share", "kitchen", wrong);
        assert.equal(typeof error, "string");
      }
      await ben.ask("join", "kitchen");
      assert.deepEqual(ben.events, []);
    });
  });
}

test("auth: the cookie cannot be read by scripts, nor sent by the forms of other sites", async (t) => {
  const { url } = await startExample(t, "auth");
  const answer = await post(url, "/login", undefined, { username: "Ann" });
  const [cookie, ...more] = answer.headers.getSetCookie();
  assert.deepEqual(more, []);
  assert.match(cookie, /; HttpOnly(;|$)/);
  assert.match(cookie, /; SameSite=Lax(;|$)/);
});

test("auth: a connection from before the sign-out cannot join after it", async (t) => {
  const { url } = await startExample(t, "auth");
  const cookie = await signIn(url, "Ann");
  const polling = `${url}/socket.io/?EIO=4&transport=polling`;
  const request = (address, init) => within(fetch(address, init).then((answer) => answer.text()), address);
  const { sid } = JSON.parse((await request(polling, { headers: { cookie } })).slice(1));
  await post(url, "/logout", cookie);
  await request(`${polling}&sid=${sid}`, { method: "POST", headers: { cookie }, body: "40" });
  assert.equal(await request(`${polling}&sid=${sid}`), `44${JSON.stringify({ message: NOT_SIGNED_IN })}`);
});

test("auth: in a browser, a sign-out in one window reaches the other", { skip: noBrowser }, async (t) => {
  const { url } = await startExample(t, "auth");
  const browser = await Browser.launched();
  t.after(() => browser.close());
  const ann = await browser.open(url);
  await ann.page.getByLabel("Name").fill("Ann <b>");
  await ann.page.getByRole("button", { name: "Sign in" }).click();
  const tabs = [ann, await browser.open(url)];
  await both(tabs, (tab) => tab.shows("#name", "Ann <b>"));
  await both(tabs, (tab) => tab.shows("#count", "2"));
  await ann.page.getByRole("button", { name: "Sign out" }).click();
  await both(tabs, (tab) => tab.page.getByRole("button", { name: "Sign in" }).waitFor());
});

/** Signs in at the page, and gives the cookie of the session. */
async function signIn(url, username, cookie) {
  const answer = await post(url, "/login", cookie, { username });
  assert.equal(answer.status, 303);
  return cookieOf(answer);
}

function post(url, path, cookie, fields) {
  const headers = cookie === undefined ? {} : { cookie };
  const body = fields && new URLSearchParams(fields);
  return within(visit(url, path, { method: "POST", headers, body }), `an answer of ${path}`);
}

/** The page shows that it knows who this is, and a socket is connected. */
async function enters(t, url, options, cookie) {
  assert.match(await page(url, cookie), /Sign out/);
  return Client.connected(t, url, { ...options, extraHeaders: { cookie } });
}

/** The page asks for a name, and no socket is let in. */
async function isRefused(t, url, options, cookie) {
  assert.match(await page(url, cookie), /Sign in/);
  const client = Client.open(t, url, { ...options, ...(cookie !== undefined && { extraHeaders: { cookie } }) });
  assert.equal((await client.failure()).message, NOT_SIGNED_IN);
  assert.equal(client.connects, 0);
}

function page(url, cookie) {
  const headers = cookie === undefined ? {} : { cookie };
  return within(visit(url, "/", { headers }).then((answer) => answer.text()), "the page");
}

/** The cookie with another last character. */
function changed(cookie) {
  return cookie.slice(0, -1) + (cookie.endsWith("A") ? "Q" : "A");
}

/** Waits until the server has ended the socket. */
async function ended(client) {
  await client.until(() => `the end; ${client}`, () => client.disconnects.length > 0);
  assert.deepEqual(client.disconnects, ["io server disconnect"]);
}

/** Waits until the client is asked something. */
async function question(client) {
  await client.until(() => `'question'; ${client}`, () => client.heard("question").length > 0);
  const [, text, answer] = client.events.find(([event]) => event === "question");
  return { text, answer };
}

/** Answers each question with what `vote` makes of it. */
function answers(client, vote) {
  client.socket.on("question", (text, answer) => answer(vote(text)));
}

/** A client in each of these rooms. */
async function inRooms(t, url, options, rooms) {
  const clients = [];
  for (const room of rooms) {
    const client = await Client.connected(t, url, options);
    await client.ask("join", room);
    clients.push(client);
  }
  return clients;
}

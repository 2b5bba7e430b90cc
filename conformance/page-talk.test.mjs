//! Talk, as people see it: what was said, once and in order, and the reader's place in it.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Browser, both, enterRoom, noBrowser } from "./lib/browser.mjs";
import { startRoom } from "./lib/program.mjs";
import { Visitor } from "./lib/visitor.mjs";

const ANSWER_MS = 10_000;
const MAX_DRIFT_PX = 2;

describe("talk in a browser", { skip: noBrowser }, () => {
  let first, second;
  before(async () => {
    [first, second] = await Promise.all([Browser.launched(), Browser.launched()]);
  });
  beforeEach(() => Promise.all([first.reset(), second.reset()]));
  after(() => Promise.all([first.close(), second.close()]));

  test("after a restart all that was said is there, each once and in order", async (t) => {
    const server = await startRoom(t);
    const [ann, ben] = [await enterRoom(first, server.url, "Ann"), await enterRoom(second, server.url, "Ben")];
    await both([ann, ben], (tab) => tab.isReady());
    await ann.says("one");
    await ben.hasSaid("one");
    await ben.says("two");
    await both([ann, ben], (tab) => tab.hasSaid("one", "two"));

    await server.stop();
    await both([ann, ben], (tab) => tab.page.locator("#count.stale").waitFor());
    await ann.says("three");
    await ann.shows("#say-wrong", "There is no connection now. Your message stays here, and is sent when the page is back.");
    assert.equal(await ann.page.inputValue("#message"), "three");
    await server.start();
    const cleo = await (await Visitor.signedIn(t, server.url, "Cleo")).enters();
    await cleo.socket.timeout(ANSWER_MS).emitWithAck("chat message", "meanwhile");

    await both([ann, ben], (tab) => tab.page.locator("#count:not(.stale)").waitFor());
    await both([ann, ben], (tab) => tab.finds(["meanwhile", "one", "three", "two"], texts, "sorted"));
    const order = await ann.page.evaluate(texts);
    assert.deepEqual(order.slice(0, 2), ["one", "two"]);
    await ben.finds(order, texts);
    assert.equal(await ann.page.inputValue("#message"), "");
    const newcomer = await first.open(`${server.url}/chat`);
    await newcomer.hasSaid(...order);
  });

  test("after a restart the page says so, and tells of nobody who comes back", async (t) => {
    const server = await startRoom(t);
    const [ann, ben] = [await enterRoom(first, server.url, "Ann"), await enterRoom(second, server.url, "Ben")];
    await both([ann, ben], (tab) => tab.isReady());
    await ann.shows("#log .coming", "Ben joined");
    await server.stop();
    await both([ann, ben], (tab) => tab.shows("#notice", "The connection is lost. This page comes back by itself."));
    await server.start();
    await both([ann, ben], (tab) => tab.shows("#notice", "The server was restarted. You are back."));
    await both([ann, ben], (tab) => tab.shows("#count", "2"));
    await both([ann, ben], (tab) => tab.shows("#people-total", "2 people"));
    await ann.says("all here");
    await both([ann, ben], (tab) => tab.hasSaid("all here"));
    assert.deepEqual(await ann.page.locator("#log .coming").allTextContents(), ["Ben joined"]);
    assert.deepEqual(await ben.page.locator("#log .coming").allTextContents(), []);
  });

  test("a message whose answer is lost is sent again, and arrives once", async (t) => {
    const { url } = await startRoom(t);
    const ben = await (await Visitor.signedIn(t, url, "Ben")).enters();
    const sent = [];
    const note = (payload) => sent.push(...(payload.match(/\["chat message".*?\]/g) ?? []));
    const { page } = await first.open("about:blank");
    // The network breaks when the server has answered the message, and before the answer is there.
    await page.routeWebSocket(/socket\.io/, (socket) => {
      const server = socket.connectToServer();
      socket.onMessage((message) => {
        note(message);
        server.send(message);
      });
      server.onMessage((message) => {
        if (/^43\d+\[\{"id"/.test(message) && sent.length === 1) socket.close();
        else socket.send(message);
      });
    });
    page.on("request", (request) => note(request.postData() ?? ""));
    await page.goto(url);
    await page.fill("#username", "Ann");
    await page.press("#username", "Enter");
    await page.locator("#state", { hasText: "websocket" }).waitFor();
    await page.fill("#message", "once");
    await page.press("#message", "Enter");
    await page.locator("#state", { hasText: "reconnecting" }).waitFor();
    await page.locator("#message:read-write").waitFor();
    assert.equal(await page.inputValue("#message"), "");
    assert.deepEqual(await page.locator("#log .message .text").allTextContents(), ["once"]);
    assert.equal(sent.length, 2);
    assert.equal(sent[0], sent[1]);
    assert.deepEqual(ben.heard("chat message").map(({ message }) => message), ["once"]);
  });

  test("whoever reads further up stays there, and is told how many new messages there are", async (t) => {
    const { url } = await startRoom(t);
    const ben = await (await Visitor.signedIn(t, url, "Ben")).enters();
    const say = (text) => ben.socket.timeout(ANSWER_MS).emitWithAck("chat message", text);
    await Promise.all(Array.from({ length: 200 }, (_, index) => say(`message ${index + 1}`)));
    const ann = await enterRoom(first, url, "Ann");
    await ann.isReady();
    await ann.shows("#log .message:last-child .text", "message 200");
    assert.equal(await ann.page.locator("#log .message").count(), 50);

    for (let loaded = 50; loaded < 200; loaded += 50) {
      const place = await ann.page.evaluate(scrollTo, 300);
      await ann.finds(loaded + 50, () => document.querySelectorAll("#log .message").length);
      await isStillAt(ann, place);
    }
    await ann.page.evaluate(scrollTo, 0);
    await ann.hasSaid(...Array.from({ length: 200 }, (_, index) => `message ${index + 1}`));

    const place = await ann.page.evaluate(scrollTo, 2_000);
    await ann.shows("#newest", "Newest messages");
    for (const text of ["a", "b", "c"]) await say(text);
    await ann.shows("#newest", "3 new messages");
    await isStillAt(ann, place);
    await ann.page.click("#newest");
    await ann.finds(true, isAtEnd);
    assert.equal(await ann.page.isVisible("#newest"), false);
    await say("d");
    await ann.shows("#log .message:last-child .text", "d");
    await ann.finds(true, isAtEnd);
  });

  test("what is said while the page is out of sight is counted in its title, below a divider", async (t) => {
    const { url } = await startRoom(t);
    const ben = await (await Visitor.signedIn(t, url, "Ben")).enters();
    const say = (text) => ben.socket.timeout(ANSWER_MS).emitWithAck("chat message", text);
    await say("seen");
    const ann = await enterRoom(first, url, "Ann");
    await ann.isReady();
    await ann.shows("#count", "2");
    assert.equal(await ann.page.title(), "2 · fanfare");
    await ann.page.evaluate(setVisibility, "hidden");
    for (let number = 1; number <= 40; number += 1) await say(`unseen ${number}`);
    await ann.finds("(40) 2 · fanfare", () => document.title);
    await ann.page.evaluate(setVisibility, "visible");
    await ann.finds("2 · fanfare", () => document.title);
    await ann.finds(["new", "unseen 1"], () => {
      const divider = document.querySelector("#log .new");
      return [divider.textContent, divider.nextElementSibling.querySelector(".text").textContent];
    });
    // Where one stopped is where one goes on.
    await ann.finds(true, () => {
      const [log, divider] = [document.querySelector("#log"), document.querySelector("#log .new")];
      return Math.abs(divider.getBoundingClientRect().top - log.getBoundingClientRect().top) < 5;
    });
    assert.match(await ann.page.textContent("#newest"), /^\d+ new messages$/);
  });

  test("one's own message is deleted by mouse or keyboard, and vanishes everywhere", async (t) => {
    const { url } = await startRoom(t);
    const [ann, ben] = [await enterRoom(first, url, "Ann"), await enterRoom(second, url, "Ben")];
    await both([ann, ben], (tab) => tab.isReady());
    const texts = ["first", "second", "third"];
    for (const [index, text] of texts.entries()) {
      await ann.says(text);
      await both([ann, ben], (tab) => tab.hasSaid(...texts.slice(0, index + 1)));
    }
    assert.equal(await ben.page.locator("#log .delete").count(), 0);
    const line = ann.page.locator("#log .message", { hasText: "second" });
    await line.hover();
    await line.locator(".delete").click();
    await ann.shows("#notice", "Your message is deleted.");
    await both([ann, ben], (tab) => tab.hasSaid("first", "third"));

    await ann.page.focus("#log");
    await ann.page.keyboard.press("Tab");
    await ann.page.keyboard.press("ArrowUp");
    assert.match(await ann.page.locator("#log .delete:focus").getAttribute("aria-label"), /: first$/);
    await ann.page.keyboard.press("Enter");
    await both([ann, ben], (tab) => tab.hasSaid("third"));
    await ann.page.locator("#log .delete:focus").waitFor();
    await ann.page.keyboard.press("Enter");
    await both([ann, ben], (tab) => tab.hasSaid());
    await ann.page.locator("#log:focus").waitFor();
    const again = await second.open(`${url}/chat`);
    await again.isReady();
    assert.equal(await again.page.locator("#log .message").count(), 0);
  });
});

function texts(how) {
  const found = [...document.querySelectorAll("#log .message .text")].map((text) => text.textContent);
  return how === "sorted" ? found.sort() : found;
}

/** Moves the log, and says where the first message is that can be seen in it then. */
function scrollTo(top) {
  const log = document.querySelector("#log");
  log.scrollTop = top;
  const { top: edge } = log.getBoundingClientRect();
  const message = [...log.querySelectorAll(".message")].find((message) => message.getBoundingClientRect().top >= edge);
  return { text: message.querySelector(".text").textContent, top: message.getBoundingClientRect().top };
}

/** The message is where it was, but for what rounding moves. */
async function isStillAt(tab, { text, top }) {
  const now = await tab.page.evaluate((text) => {
    const found = [...document.querySelectorAll("#log .message .text")].find((found) => found.textContent === text);
    return found.closest(".message").getBoundingClientRect().top;
  }, text);
  assert(Math.abs(now - top) <= MAX_DRIFT_PX, `'${text}' was at ${top}, and is at ${now}`);
}

function isAtEnd() {
  const { scrollHeight, scrollTop, clientHeight } = document.querySelector("#log");
  return scrollHeight - scrollTop - clientHeight < 2;
}

/** A page of a browser without windows is never out of sight by itself. */
function setVisibility(state) {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}

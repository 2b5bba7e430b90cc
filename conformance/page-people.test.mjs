//! Who is here, as the page shows it: the list, who is typing, the count's past, and the way in for a phone.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Browser, both, enterRoom, noBrowser } from "./lib/browser.mjs";
import { startRoom } from "./lib/program.mjs";
import { Visitor } from "./lib/visitor.mjs";

const CROWD = 240;
const MAX_TURNS = 100;
const MAX_ROWS = 60;

describe("people in a browser", { skip: noBrowser }, () => {
  let first, second;
  before(async () => {
    [first, second] = await Promise.all([Browser.launched(), Browser.launched()]);
  });
  beforeEach(() => Promise.all([first.reset(), second.reset()]));
  after(() => Promise.all([first.close(), second.close()]));

  test("a person with more than one page is listed once, with their number", async (t) => {
    const { url } = await startRoom(t);
    const [ann, ben] = [await enterRoom(first, url, "Ann"), await enterRoom(second, url, "Ben")];
    await both([ann, ben], (tab) => tab.isReady());
    const again = await first.open(`${url}/chat`);
    await ben.finds(["Ann · 2 pages", "Ben (you)"], people);
    await both([ann, again], (tab) => tab.finds(["Ann (you) · 2 pages", "Ben"], people));
    await again.isUpgraded();
    await again.page.close();
    await both([ann, ben], (tab) => tab.shows("#people-total", "2 people"));
    await ben.finds(["Ann", "Ben (you)"], people);
  });

  test("of a crowd only those in view are in the document, and the rest comes as one scrolls", async (t) => {
    const { url } = await startRoom(t);
    const crowd = [];
    for (let number = 1; number <= CROWD; number += 1) {
      const visitor = await Visitor.signedIn(t, url, `Guest ${number}`);
      crowd.push(await visitor.enters());
    }
    const ann = await enterRoom(first, url, "Ann");
    await ann.shows("#people-total", `${CROWD + 1} people`);
    await ann.isReady();
    let most = 0;
    for (let turn = 0, last = ""; last !== "Ann (you)"; turn += 1) {
      assert(turn < MAX_TURNS, `after ${turn} turns of the wheel the last row is ${last}`);
      const rows = await ann.page.evaluate(scrollPeople);
      most = Math.max(most, rows.length);
      last = rows.at(-1);
    }
    assert(most <= MAX_ROWS, `${most} rows`);
    assert.deepEqual((await ann.page.evaluate(people)).slice(-3), [`Guest ${CROWD - 1}`, `Guest ${CROWD}`, "Ann (you)"]);
    const row = ann.page.locator("#people li:last-child");
    assert.equal(await row.getAttribute("aria-posinset"), `${CROWD + 1}`);

    crowd.at(-1).socket.disconnect();
    await ann.shows("#people-total", `${CROWD} people`);
    assert.deepEqual((await ann.page.evaluate(people)).slice(-2), [`Guest ${CROWD - 1}`, "Ann (you)"]);
  });

  test("who is typing is named to the others, and not to oneself", async (t) => {
    const { url } = await startRoom(t);
    const [ann, ben] = [await enterRoom(first, url, "Ann"), await enterRoom(second, url, "Ben")];
    await both([ann, ben], (tab) => tab.isReady());
    await ben.page.focus("#message");
    await ben.page.keyboard.type("he");
    await ann.shows("#typing", "Ben is typing");
    assert.equal(await ben.page.textContent("#typing"), "");
    await ben.page.fill("#message", "");
    await ann.finds("", () => document.querySelector("#typing").textContent);

    const others = [];
    for (const name of ["Cleo", "Dan", "Eve", "Finn", "Gail"]) {
      others.push(await (await Visitor.signedIn(t, url, name)).enters());
    }
    const sentences = [
      "Cleo is typing",
      "Cleo and Dan are typing",
      "Cleo, Dan and Eve are typing",
      "Cleo, Dan, Eve and 1 more are typing",
      "Cleo, Dan, Eve and 2 more are typing",
    ];
    for (const [index, sentence] of sentences.entries()) {
      others[index].socket.emit("typing", true);
      await ann.shows("#typing", sentence);
    }
    await ben.says("hello");
    await ann.hasSaid("hello");
  });

  test("the count's past is drawn in the colours of light and dark, and told in words", async (t) => {
    const { url } = await startRoom(t);
    await (await Visitor.signedIn(t, url, "Ben")).enters();
    const ann = await enterRoom(first, url, "Ann");
    await ann.shows("#count", "2");
    await ann.page.locator("#plot-summary", { hasText: /^(From 1 to|Always) 2 in the last minute\. You came at \d/ }).waitFor();
    for (const colorScheme of ["light", "dark"]) {
      await ann.page.emulateMedia({ colorScheme });
      await ann.finds(true, hasDrawnIn, "--brass");
    }
  });

  test("the room's address is there for a phone's camera, with a word on one that no phone can reach", async (t) => {
    const { url } = await startRoom(t);
    const ann = await enterRoom(first, url, "Ann");
    await ann.isReady();
    assert.equal(await ann.page.isVisible("#invitation"), false);
    await ann.page.click("#show-invitation");
    await ann.shows("#invitation-address", `${url}/`);
    assert.equal(await ann.page.isVisible("#invitation-loopback"), true);
    const { width, height } = await ann.page.locator("#invitation-code path").boundingBox();
    assert(width > 100 && Math.abs(width - height) < 1, `${width} x ${height}`);
    await ann.page.keyboard.press("Escape");
    assert.equal(await ann.page.isVisible("#invitation"), false);
    await ann.page.locator("#show-invitation:focus").waitFor();
  });
});

function people() {
  return [...document.querySelectorAll("#people li")].map((row) => row.textContent);
}

/** Scrolls to the last row there is, and gives those that are drawn then. */
function scrollPeople() {
  const list = document.querySelector("#people");
  list.parentElement.scrollTop = list.parentElement.scrollHeight;
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  return frame().then(frame).then(() => [...list.children].map((row) => row.textContent));
}

function hasDrawnIn(name) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
  const canvas = document.querySelector("#plot canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255) return true;
  }
  return false;
}

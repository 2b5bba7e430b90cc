//! How the pages look, load and read: without shifts, within a budget, to everyone.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Browser, enterRoom, noBrowser } from "./lib/browser.mjs";
import { startRoom } from "./lib/program.mjs";
import { drawTab } from "./lib/screenshot.mjs";
import { Visitor } from "./lib/visitor.mjs";

const AXE = new URL("node_modules/axe-core/axe.min.js", import.meta.url);
const PASSWORD = "correct horse battery";
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DESKTOP = { viewport: { width: 1280, height: 800 } };
const MAX_SCRIPT_BYTES = 60_000;
const MAX_SHIFT = 0.1;
const MAX_PICTURE_BYTES = 300_000;
const ANSWER_MS = 10_000;

const SAID = [
  ["Ben", "Good morning! Is it only us?"],
  ["Cleo", "Look at the number."],
  ["Cleo", "It is the same in every window, also in mine."],
  ["Ben", "I have just closed one. Did you see it fall?"],
  ["Dan", "Yes, at once. And it was right again after the server was restarted."],
  ["Ben", "Nothing got lost meanwhile, either:\nwhat I wrote then was sent when the page came back."],
];

for (const [device, options] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
  describe(`on a ${device}`, { skip: noBrowser }, () => {
    let browser;
    before(async () => {
      browser = await Browser.launched(options);
    });
    beforeEach(() => browser.reset());
    after(() => browser.close());

    test("nothing moves while the room loads", async (t) => {
      const { url } = await startRoom(t);
      await company(t, url);
      const ann = await enterRoom(browser, url, "Ann");
      await ann.isReady();
      await ann.shows("#people-total", "4 people");
      await ann.page.locator("#state", { hasText: "websocket" }).waitFor();
      const shift = await ann.page.evaluate(layoutShift);
      assert(shift < MAX_SHIFT, `${shift}`);
      t.diagnostic(`layout shift ${shift.toFixed(4)}`);
    });

    for (const colorScheme of ["light", "dark"]) {
      test(`a program that looks for barriers finds none that is serious, in ${colorScheme}`, async (t) => {
        const { url } = await startRoom(t);
        await company(t, url);
        const tab = await browser.open("about:blank");
        await tab.page.emulateMedia({ colorScheme });
        const axe = await readFile(AXE, "utf8");
        const check = async (where) => assert.deepEqual(await barriers(tab, axe), [], where);
        for (const path of ["/", "/login", "/register"]) {
          await tab.page.goto(`${url}${path}`);
          await check(path);
        }
        await register(tab, url);
        await tab.page.goto(`${url}/account`);
        await tab.page.fill("#delete-password", "not the password");
        await tab.page.press("#delete-password", "Enter");
        await tab.page.locator("#wrong-delete:not(:empty)").waitFor();
        await check("/account");
        await tab.page.goto(`${url}/chat`);
        await tab.isReady();
        await tab.says("hello");
        await tab.page.locator("#log .delete").waitFor({ state: "attached" });
        await tab.page.hover("#log .message:last-child");
        await check("/chat");
        await tab.page.click("#show-invitation");
        await check("/chat, the invitation");
      });

      test(`a picture of the room in ${colorScheme}`, async (t) => {
        const { url } = await startRoom(t);
        const [ben] = await company(t, url);
        const tab = await browser.open("about:blank");
        await tab.page.emulateMedia({ colorScheme });
        await tab.page.goto(url);
        await tab.page.fill("#username", "Ann");
        await tab.page.press("#username", "Enter");
        await tab.isReady();
        await tab.shows("#count", "4");
        await tab.says("I am on my way.");
        await tab.shows("#log .message:last-child .text", "I am on my way.");
        ben.socket.emit("typing", true);
        await tab.shows("#typing", "Ben is typing");
        await tab.page.locator("#state", { hasText: "websocket" }).waitFor();
        await tab.page.evaluate(() => scrollTo(0, 0));
        const size = await drawTab(tab, `room-${device}-${colorScheme}.png`);
        assert(size <= MAX_PICTURE_BYTES, `${size} bytes`);
      });
    }
  });
}

describe("all pages", { skip: noBrowser }, () => {
  let browser;
  before(async () => {
    browser = await Browser.launched();
  });
  after(() => browser.close());

  test("the room's scripts are small, and none comes from elsewhere", async (t) => {
    const { url } = await startRoom(t);
    const ann = await enterRoom(browser, url, "Ann");
    await ann.isReady();
    const files = await ann.page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
    for (const file of files) assert.equal(new URL(file).origin, url, file);
    const scripts = [...new Set(files.filter((file) => new URL(file).pathname.endsWith(".js")))];
    assert(scripts.length >= 3, scripts.join());
    const sizes = await Promise.all(
      scripts.map(async (script) => gzipSync(Buffer.from(await (await fetch(script)).arrayBuffer())).length),
    );
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    assert(bytes < MAX_SCRIPT_BYTES, `${bytes} bytes: ${scripts.join()}`);
    t.diagnostic(`${bytes} bytes of script, compressed`);
  });

  test("no page tells the console anything but the counts", async (t) => {
    const { url } = await startRoom(t);
    await browser.reset();
    const tab = await browser.open(url);
    for (const path of ["/login", "/register"]) await tab.page.goto(`${url}${path}`);
    await register(tab, url);
    await tab.isReady();
    await tab.says("hello");
    await tab.hasSaid("hello");
    await tab.page.click("#show-invitation");
    await tab.page.keyboard.press("Escape");
    await tab.isUpgraded();
    await tab.page.goto(`${url}/account`);
    // Advice for developers, which the console hides unless it is asked for.
    const printed = (await tab.printed()).filter((line) => !/^(verbose|debug): \[DOM\]/.test(line));
    assert.deepEqual(printed, [1]);
  });
});

/** Three others, who have said something. */
async function company(t, url) {
  const others = new Map();
  for (const name of ["Ben", "Cleo", "Dan"]) others.set(name, await (await Visitor.signedIn(t, url, name)).enters());
  for (const [name, text] of SAID) await others.get(name).socket.timeout(ANSWER_MS).emitWithAck("chat message", text);
  return [...others.values()];
}

async function register(tab, url) {
  await tab.page.goto(`${url}/register`);
  await tab.page.fill("#username", "Ann");
  await tab.page.fill("#password", PASSWORD);
  await tab.page.press("#password", "Enter");
  await tab.page.waitForURL(`${url}/chat`);
  await tab.isReady();
}

/** What axe finds that is serious or critical: each rule, and where it is broken. */
async function barriers(tab, axe) {
  await tab.page.evaluate(axe);
  const violations = await tab.page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { preload: false, resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map(({ target }) => target.join(" ")) }));
  });
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
}

/** How much has moved so far that nobody asked to move, as browsers measure it. */
function layoutShift() {
  let sum = 0;
  const add = (list) => list.getEntries().forEach(({ value, hadRecentInput }) => (sum += hadRecentInput ? 0 : value));
  new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return frame().then(frame).then(() => sum);
}

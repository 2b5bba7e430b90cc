//! Two browsers, as people use them: the lesson's page, and the room.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Browser, both, enterRoom, noBrowser, typeName } from "./lib/browser.mjs";
import { startExample, startRoom } from "./lib/program.mjs";
import { drawWindows } from "./lib/screenshot.mjs";

const MAX_PICTURE_BYTES = 300_000;

describe("in a browser", { skip: noBrowser }, () => {
  let first, second;
  before(async () => {
    [first, second] = await Promise.all([Browser.launched(), Browser.launched()]);
  });
  beforeEach(() => Promise.all([first.reset(), second.reset()]));
  after(() => Promise.all([first.close(), second.close()]));

  test("the page of the example lesson shows and prints the number, in every window", async (t) => {
    const { url } = await startExample(t, "lesson");
    const ann = await first.open(url);
    await ann.shows("#count", "1");
    await ann.prints(1);
    const ben = await second.open(url);
    await both([ann, ben], (tab) => tab.shows("#count", "2"));
    await both([ann, ben], (tab) => tab.prints(2));
    assert.equal(await ben.page.title(), "2 · the lesson");
    const again = await first.open(url);
    await both([ann, ben, again], (tab) => tab.prints(3));
  });

  test("in the page of the example count the number rises and falls", async (t) => {
    const { url } = await startExample(t, "count");
    const ann = await first.open(url);
    await ann.shows("#count", "1");
    const ben = await second.open(url);
    await both([ann, ben], (tab) => tab.shows("#count", "2"));
    await ben.prints(2);
    await ben.isUpgraded();
    await ben.page.close();
    await ann.shows("#count", "1");
    await ann.prints(1, 2, 1);
  });

  test("a page of any origin may read the lesson's two files, and nothing else", async (t) => {
    const [lesson, room, foreign] = [await startExample(t, "lesson"), await startRoom(t), await startExample(t, "count")];
    const { page } = await first.open(foreign.url);
    const read = (url) => page.evaluate((url) => fetch(url).then((answer) => answer.text(), () => "refused"), url);
    for (const { url } of [lesson, room]) {
      assert.match(await read(`${url}/_api/server.js`), /io.emit.*('|")user count('|").*currentUsers/gi);
      assert.match(await read(`${url}/public/client.js`), /socket.on.*('|")user count('|")/gi);
      assert.equal(await read(`${url}/`), "refused");
    }
    assert.equal(await read(`${room.url}/healthz`), "refused");
  });

  test("the number is the same in all windows, with one person or two", async (t) => {
    const { url } = await startRoom(t);
    const ann = await enterRoom(first, url, "Ann");
    await ann.shows("#count", "1");
    await ann.shows("#people-total", "1 person");
    await ann.prints(1);
    assert.equal(await ann.page.title(), "1 · fanfare");

    const ben = await enterRoom(second, url, "Ben");
    await both([ann, ben], (tab) => tab.shows("#count", "2"));
    await both([ann, ben], (tab) => tab.shows("#people-total", "2 people"));
    await both([ann, ben], (tab) => tab.shows("#frame", '42["user count",2]'));
    await both([ann, ben], (tab) => tab.prints(2));
    assert.deepEqual(await people(ann), ["Ann (you)", "Ben"]);
    assert.deepEqual(await people(ben), ["Ann", "Ben (you)"]);

    const again = await first.openedBy(() => ann.page.click("#open-window"));
    const all = [ann, ben, again];
    await both(all, (tab) => tab.shows("#count", "3"));
    await both(all, (tab) => tab.shows("#people-total", "2 people"));
    await both(all, (tab) => tab.prints(3));
    for (const tab of all) assert.equal(await tab.page.title(), "3 · fanfare");

    await both([again, ben], (tab) => tab.isUpgraded());
    await again.page.close();
    await both([ann, ben], (tab) => tab.shows("#count", "2"));
    await ben.page.close();
    await ann.shows("#count", "1");
    await ann.shows("#people-total", "1 person");
    await ann.shows("#log .coming:last-child", "Ben left");
    await ann.prints(2, 1);
  });

  test("when a browser is killed outright, the others see the number fall", async (t) => {
    const { url } = await startRoom(t);
    const [doomed, ann] = await Promise.all([Browser.launched(), enterRoom(first, url, "Ann")]);
    t.after(() => doomed.close());
    await ann.prints(1);
    const ben = await enterRoom(doomed, url, "Ben");
    await ann.shows("#count", "2");
    await ann.prints(2);
    await ben.isUpgraded();
    await doomed.kill();
    await ann.shows("#count", "1");
    await ann.prints(1);
  });

  test("what somebody writes is in every window, with the name, and is never markup", async (t) => {
    const { url } = await startRoom(t);
    const attack = "<img src=x onerror=console.log('hurt')>";
    const ann = await enterRoom(first, url, "<b>Ann</b>");
    await ann.shows("#count", "1");
    const ben = await enterRoom(second, url, "Ben");
    await both([ann, ben], (tab) => tab.shows("#count", "2"));
    for (const text of ["hello", attack]) {
      await ann.page.fill("#message", text);
      await ann.page.press("#message", "Enter");
      await both([ann, ben], (tab) => tab.shows("#log .message:last-child .text", text));
      await both([ann, ben], (tab) => tab.shows("#log .message:last-child .name", "<b>Ann</b>"));
      await ann.shows("#you", "<b>Ann</b>");
    }
    assert.deepEqual(await people(ben), ["<b>Ann</b>", "Ben (you)"]);
    for (const { page } of [ann, ben]) assert.equal(await page.locator("main img, main b, header b").count(), 0);
    await ann.prints(1, 2);
    await ben.prints(2);
  });

  test("a message that is too long is not lost, and the page says why it was not sent", async (t) => {
    const { url } = await startRoom(t);
    const ann = await enterRoom(first, url, "Ann");
    await ann.shows("#count", "1");
    await ann.page.fill("#message", "x".repeat(3_120));
    await ann.page.press("#message", "Enter");
    await ann.shows("#say-wrong", "a message has 1 to 2,000 characters; this one has 3,120");
    assert.equal((await ann.page.inputValue("#message")).length, 3_120);
    assert.equal(await ann.page.locator("#log .message").count(), 0);
    await ann.page.fill("#message", "shorter");
    await ann.page.press("#message", "Enter");
    await ann.shows("#log .message .text", "shorter");
    assert.equal(await ann.page.inputValue("#message"), "");
    await ann.prints(1);
  });

  test("the form says what is wrong with a name, and keeps it", async (t) => {
    const { url } = await startRoom(t);
    await (await enterRoom(first, url, "Ann")).shows("#count", "1");
    const ben = await second.open(url);
    await typeName(ben, "ANN");
    await ben.shows("#wrong", "the name Ann is taken: somebody here has it");
    assert.equal(await ben.page.inputValue("#username"), "ANN");
    await ben.page.fill("#username", "Ben");
    await ben.page.press("#username", "Enter");
    await ben.shows("#count", "2");
    // Chromium itself tells the console that the form came with an error.
    const [complaint, ...rest] = await ben.printed();
    assert.match(String(complaint), /^error: Failed to load resource.*422/);
    assert.deepEqual(rest, [2]);
  });

  test("after a restart of the server the pages come back by themselves, and are right", async (t) => {
    const server = await startRoom(t);
    const ann = await enterRoom(first, server.url, "Ann");
    await ann.shows("#count", "1");
    const ben = await enterRoom(second, server.url, "Ben");
    await both([ann, ben], (tab) => tab.shows("#count", "2"));
    await both([ann, ben], (tab) => tab.shows("#state", "connected · polling → websocket"));
    await ann.prints(1, 2);
    await ben.prints(2);

    await server.stop();
    for (const tab of [ann, ben]) {
      await tab.shows("#count.stale", "2");
      await tab.shows("#last-known", "last known");
      assert.equal(await tab.page.title(), "2 last known · fanfare");
      assert.match(await tab.page.textContent("#state"), /^reconnecting/);
    }
    await server.start();
    for (const tab of [ann, ben]) {
      await tab.shows("#count:not(.stale)", "2");
      await tab.shows("#people-total", "2 people");
      assert.equal(await tab.page.isVisible("#last-known"), false);
      assert.equal(await tab.page.title(), "2 · fanfare");
      // Chromium itself tells the console that nobody answered.
      const printed = (await tab.printed()).filter((line) => !/^error: .*net::ERR_CONNECTION_REFUSED/.test(line));
      assert(["2", "1,2"].includes(printed.join()), printed.join());
    }
    const third = await enterRoom(first, server.url, "Ann");
    await both([ann, ben, third], (tab) => tab.prints(3));
  });

  test("signing out ends every tab of that browser, and says so in each", async (t) => {
    const { url } = await startRoom(t);
    const ann = await enterRoom(first, url, "Ann");
    await ann.shows("#count", "1");
    const ben = await enterRoom(second, url, "Ben");
    await both([ann, ben], (tab) => tab.shows("#count", "2"));
    const other = await first.open(`${url}/chat`);
    await both([ann, ben, other], (tab) => tab.shows("#count", "3"));
    await ann.page.click("text=Sign out");
    await ann.page.waitForURL(`${url}/`);
    await ben.shows("#count", "1");
    await ben.shows("#people-total", "1 person");
    await other.shows("#refused-why", "You have been signed out, or the server asked this page to leave.");
    // Tabs end one after the other, and the last one may still see the number fall.
    assert.match((await ann.printed()).join(), /^1,2,3(,2)?$/);
    assert.match((await other.printed()).join(), /^3(,2)?$/);
    await other.page.click("#try-again");
    await other.shows("#refused-why", "not signed in: open / and enter a name first");
  });

  test("a page of another site gets nothing with the visitor's cookie", async (t) => {
    const [room, foreign] = [await startRoom(t), await startExample(t, "count")];
    const ann = await enterRoom(first, room.url, "Ann");
    await ann.shows("#count", "1");
    // Another port of the same host: the browser sends the cookie along.
    const { page } = await first.open(foreign.url);
    for (const transport of ["polling", "websocket"]) {
      const error = await page.evaluate(([url, transport]) => {
        const socket = globalThis.io(url, { transports: [transport], withCredentials: true, reconnection: false });
        return new Promise((resolve) => {
          socket.on("connect", () => resolve("connected"));
          socket.on("connect_error", ({ message }) => resolve(message));
        });
      }, [room.url, transport]);
      assert.match(error, /^(xhr poll|websocket) error$/);
    }
    const ben = await enterRoom(second, room.url, "Ben");
    await ben.shows("#count", "2");
    await ann.prints(1, 2);
  });

  if (process.env.FANFARE_SCREENSHOTS === "1") {
    test("the README's picture shows two windows at 2", async (t) => {
      const { url } = await startRoom(t);
      const sight = { viewport: { width: 640, height: 800 }, deviceScaleFactor: 1.5, colorScheme: "light" };
      const browsers = [await Browser.launched(sight), await Browser.launched(sight)];
      t.after(() => Promise.all(browsers.map((browser) => browser.close())));
      const ann = await enterRoom(browsers[0], url, "Ann");
      await ann.shows("#count", "1");
      const ben = await enterRoom(browsers[1], url, "Ben");
      await both([ann, ben], (tab) => tab.shows("#count", "2"));
      await both([ann, ben], (tab) => tab.shows("#state", "connected · polling → websocket"));
      const size = await drawWindows(browsers[0], [ann, ben], "two-windows.png");
      assert(size <= MAX_PICTURE_BYTES, `${size} bytes`);
    });
  }
});

function people(tab) {
  return tab.page.locator("#people li").allTextContents();
}

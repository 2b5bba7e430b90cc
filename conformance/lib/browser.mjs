//! A real browser: Chromium with a profile of its own, and what its pages write to their consoles.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { PATIENCE_MS, Watched } from "./deadline.mjs";

/** Why tests with a browser can't run, or false. */
export const noBrowser = process.env.CHROMIUM ? false : "CHROMIUM does not say where a browser is";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Engine.IO's, the last step of an upgrade. */
const UPGRADE_PACKET = "5";

export class Browser {
  /** Playwright's. */
  context;
  #profile;
  #tabs = new WeakMap();

  /** A browser that nobody has used before. */
  static async launched(options = {}) {
    const browser = new Browser();
    browser.#profile = await mkdtemp(join(tmpdir(), "fanfare-browser-"));
    browser.context = await chromium.launchPersistentContext(browser.#profile, {
      executablePath: process.env.CHROMIUM,
      args: FLAGS,
      reducedMotion: "reduce",
      ...options,
    });
    browser.context.setDefaultTimeout(PATIENCE_MS);
    browser.context.on("page", (page) => browser.#tabs.set(page, new Tab(page)));
    return browser;
  }

  /** A new tab at this address. */
  async open(url) {
    const tab = this.#tabs.get(await this.context.newPage());
    await tab.page.goto(url);
    return tab;
  }

  /** The tab that `action` makes a page open. */
  async openedBy(action) {
    const [page] = await Promise.all([this.context.waitForEvent("page"), action()]);
    return this.#tabs.get(page);
  }

  /** Forgets all cookies and closes all tabs. */
  async reset() {
    await this.context.clearCookies();
    await Promise.all(this.context.pages().map((page) => page.close()));
  }

  async close() {
    await this.context.close();
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Kills every process of it at once: it can say goodbye to nobody. */
  async kill() {
    const gone = new Promise((resolve) => this.context.once("close", resolve));
    for (const pid of await processTree(this.#profile)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        assert.equal(error.code, "ESRCH");
      }
    }
    await gone;
  }
}

/** A page, and its console. */
class Tab extends Watched {
  page;
  #lines = [];
  #hasUpgraded = false;

  constructor(page) {
    super();
    this.page = page;
    page.on("console", (message) => this.#note(message));
    page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => this.#noteSent(payload)));
    page.on("pageerror", (error) => {
      this.#lines.push({ what: `uncaught ${error}` });
      this.changed();
    });
  }

  /** Waits until the element's whole text is `text`. */
  async shows(selector, text) {
    const whole = new RegExp(`^\\s*${RegExp.escape?.(text) ?? text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")}\\s*$`);
    try {
      await this.page.locator(selector).filter({ hasText: whole, visible: true }).waitFor();
    } catch (error) {
      const now = await this.page.locator(selector).allTextContents();
      throw new Error(`${selector} shows ${JSON.stringify(now)}, not '${text}'`, { cause: error });
    }
  }

  /** Waits until what `read` finds in the page is `value`. */
  async finds(value, read, arg) {
    const wanted = JSON.stringify(value);
    const found = async () => JSON.stringify(await this.page.evaluate(read, arg));
    const deadline = Date.now() + PATIENCE_MS;
    let now = await found();
    while (now !== wanted) {
      assert(Date.now() < deadline, `the page has ${now}, not ${wanted}`);
      await this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
      now = await found();
    }
  }

  /** Writes a message and sends it by keyboard. */
  async says(text) {
    await this.page.fill("#message", text);
    await this.page.press("#message", "Enter");
  }

  /** Waits until the log's messages are these texts, from the first to the last. */
  async hasSaid(...texts) {
    await this.finds(texts, () => [...document.querySelectorAll("#log .message .text")].map((text) => text.textContent));
  }

  /** Waits until the room has answered all that a page asks for when it comes. */
  async isReady() {
    await this.page.locator('#log[aria-busy="false"]').waitFor();
  }

  /**
   * Waits until the page's connection has moved to WebSocket for good. One that is lost in the middle of the move is
   * between two polls: the server learns of it only when a pong is due.
   */
  async isUpgraded() {
    await this.until("the upgrade to WebSocket", () => this.#hasUpgraded);
  }

  /** Waits until the console has got these numbers, each printed alone, and nothing else since the last call. */
  async prints(...numbers) {
    const lines = () => JSON.stringify(this.#lines.map(({ what }) => what));
    await this.until(() => `${numbers} in the console, not ${lines()}`, () => this.#lines.length >= numbers.length);
    assert.deepEqual(await this.printed(), numbers);
  }

  /** What the console has got since the last call: a number that was printed alone, or a text that says what else. */
  async printed() {
    await this.until("what a line of the console is", () => this.#lines.every(({ what }) => what !== undefined));
    return this.#lines.splice(0).map(({ what }) => what);
  }

  #noteSent(payload) {
    if (payload !== UPGRADE_PACKET) return;
    this.#hasUpgraded = true;
    this.changed();
  }

  async #note(message) {
    const line = { what: undefined };
    this.#lines.push(line);
    const [value, ...rest] = message.args();
    const isAlone = message.type() === "log" && value !== undefined && rest.length === 0;
    // What is no number may be gone with its page before it is read.
    const number = isAlone ? await value.jsonValue().catch(() => undefined) : undefined;
    line.what = typeof number === "number" ? number : `${message.type()}: ${message.text()} at ${message.location().url}`;
    this.changed();
  }
}

/** Enters the room as a person does, by keyboard: the field has the focus already. */
export async function enterRoom(browser, url, name) {
  const tab = await browser.open(url);
  await typeName(tab, name);
  await tab.page.waitForURL(`${url}/chat`);
  return tab;
}

export async function typeName(tab, name) {
  await tab.page.locator("#username:focus").waitFor();
  await tab.page.keyboard.type(name);
  await tab.page.keyboard.press("Enter");
}

/** The same in several tabs, together. */
export function both(tabs, act) {
  return Promise.all(tabs.map(act));
}

/** The process that has `word` in its command line, and all that come from it. */
async function processTree(word) {
  const { stdout } = await promisify(execFile)("ps", ["-axww", "-o", "pid=,ppid=,args="], { maxBuffer: 16 * 1024 * 1024 });
  const processes = stdout.split("\n").flatMap((line) => {
    const [, pid, parent, args] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return pid ? [{ pid: Number(pid), parent: Number(parent), args }] : [];
  });
  const tree = new Set(processes.filter(({ args }) => args.includes(word)).map(({ pid }) => pid));
  assert(tree.size > 0, `no process has ${word} in its command line`);
  for (let size = 0; size !== tree.size; ) {
    size = tree.size;
    for (const { pid, parent } of processes) if (tree.has(parent)) tree.add(pid);
  }
  return tree;
}

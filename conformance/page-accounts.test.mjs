//! Accounts, as people use them: the forms, and what they mean for pages that are open.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Browser, enterRoom, noBrowser } from "./lib/browser.mjs";
import { startRoom } from "./lib/program.mjs";

const PASSWORD = "correct horse battery";
const OTHER_PASSWORD = "staple and a pony";

describe("accounts in a browser", { skip: noBrowser }, () => {
  let first, second;
  before(async () => {
    [first, second] = await Promise.all([Browser.launched(), Browser.launched()]);
  });
  beforeEach(() => Promise.all([first.reset(), second.reset()]));
  after(() => Promise.all([first.close(), second.close()]));

  test("one creates an account, signs out, and signs in again", async (t) => {
    const { url } = await startRoom(t);
    const { page, ...ann } = await fromFrontPage(first, url, "Create an account");
    await ann.tab.shows("#password-rules", "10 to 128 characters, and not your name.");
    await fill(page, "Ann", PASSWORD);
    await page.waitForURL(`${url}/chat`);
    await ann.tab.shows("#you", "Ann");
    await ann.tab.shows("#account", "Account");
    assert.equal(await page.isVisible("#create-account"), false);

    await ann.tab.isUpgraded();
    await page.click("text=Sign out");
    await page.waitForURL(`${url}/`);
    await page.click("text=Sign in");
    await fill(page, "ann", "not the password");
    await page.locator("#wrong:not(:empty)").waitFor();
    assert.equal(await page.inputValue("#username"), "ann");
    assert.equal(await page.inputValue("#password"), "");
    await fill(page, "ann", PASSWORD);
    await page.waitForURL(`${url}/chat`);
    await ann.tab.shows("#you", "Ann");
  });

  test("a password that breaks the rule is refused, and the form says why", async (t) => {
    const { url } = await startRoom(t);
    const { page } = await first.open(`${url}/register`);
    await fill(page, "Annabelle Lee", "Annabelle Lee");
    await page.locator("#wrong:not(:empty)").waitFor();
    assert.equal(await page.inputValue("#username"), "Annabelle Lee");
    await fill(page, "Annabelle Lee", "short");
    assert.equal(await page.evaluate(() => document.querySelector("#password").validity.tooShort), true);
    await fill(page, "Annabelle Lee", PASSWORD);
    await page.waitForURL(`${url}/chat`);
  });

  test("a guest is offered an account, and has no page for one", async (t) => {
    const { url } = await startRoom(t);
    const ann = await enterRoom(first, url, "Ann");
    await ann.shows("#create-account", "Create an account");
    assert.equal(await ann.page.isVisible("#account"), false);
    await ann.isUpgraded();
    await ann.page.goto(`${url}/account`);
    assert.notEqual(new URL(ann.page.url()).pathname, "/account");
  });

  test("a new password ends the pages of other browsers, and only those", async (t) => {
    const { url } = await startRoom(t);
    const [ann, there] = await annInTwoBrowsers(url);
    await ann.page.click("#account");
    await ann.page.fill("#password", PASSWORD);
    await ann.page.fill("#new-password", OTHER_PASSWORD);
    await ann.page.press("#new-password", "Enter");
    await ann.page.locator("#done:not(:empty)").waitFor();
    await there.shows("#refused-why", "You have been signed out, or the server asked this page to leave.");
    await ann.page.click("text=Back to the room");
    await ann.shows("#count", "1");

    await there.page.goto(`${url}/login`);
    await fill(there.page, "Ann", OTHER_PASSWORD);
    await there.page.waitForURL(`${url}/chat`);
    await ann.shows("#count", "2");
  });

  test("a new name is the one that everyone sees", async (t) => {
    const { url } = await startRoom(t);
    const [ann, there] = await annInTwoBrowsers(url);
    await ann.page.click("#account");
    assert.equal(await ann.page.inputValue("#username"), "Ann");
    await ann.page.fill("#username", "Anna");
    await ann.page.press("#username", "Enter");
    await ann.page.locator("#done:not(:empty)").waitFor();
    await there.shows("#you", "Anna");
    await there.shows("#people li", "Anna (you)");
    await there.says("hello");
    await there.shows("#log .message .name", "Anna");
  });

  test("a deleted account is gone, and what it said stays without its name", async (t) => {
    const { url } = await startRoom(t);
    const ann = await registered(first, url);
    await ann.says("I was here");
    await ann.hasSaid("I was here");
    await ann.isUpgraded();
    await ann.page.click("#account");
    await ann.page.fill("#delete-password", "not the password");
    await ann.page.press("#delete-password", "Enter");
    await ann.page.locator("#wrong-delete:not(:empty)").waitFor();
    await ann.page.fill("#delete-password", PASSWORD);
    await ann.page.press("#delete-password", "Enter");
    await ann.page.waitForURL(`${url}/`);
    const ben = await enterRoom(second, url, "Ann");
    await ben.hasSaid("I was here");
    await ben.shows("#log .message .name", "somebody");
    assert.equal(await ben.page.locator("#log .delete").count(), 0);
  });

  async function annInTwoBrowsers(url) {
    const ann = await registered(first, url);
    await ann.isUpgraded();
    const there = await second.open(`${url}/login`);
    await fill(there.page, "Ann", PASSWORD);
    await there.page.waitForURL(`${url}/chat`);
    await ann.shows("#people li", "Ann (you) · 2 pages");
    await there.isUpgraded();
    return [ann, there];
  }
});

async function registered(browser, url) {
  const tab = await browser.open(`${url}/register`);
  await fill(tab.page, "Ann", PASSWORD);
  await tab.page.waitForURL(`${url}/chat`);
  await tab.isReady();
  return tab;
}

async function fromFrontPage(browser, url, link) {
  const tab = await browser.open(url);
  await tab.page.click(`text=${link}`);
  return { tab, page: tab.page };
}

async function fill(page, name, password) {
  await page.fill("#username", name);
  await page.fill("#password", password);
  await page.press("#password", "Enter");
}

//! The official client in a page of a real browser, driven like a program: see driven.mjs.

import { fileURLToPath } from "node:url";
import { Browser } from "./browser.mjs";
import { WAYS } from "./client.mjs";
import { Driven } from "./driven.mjs";

const BUNDLE = fileURLToPath(new URL("../node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url));

/** One browser for all pages of a file of tests. */
let launched;

/** Ends the browser, if there is one. */
export async function closeBrowser() {
  await (await launched)?.close();
}

/** A page with a client that begins to connect. It is closed when the test ends. */
export function drivePage(t, url, { way, nsp = "", auth = {} }) {
  const untold = [];
  let page;
  // Each call into the page takes its time, so what is told meanwhile goes along.
  const tellAll = () => page?.evaluate((all) => all.forEach(globalThis.tell), untold.splice(0));
  const driven = new Driven((told) => {
    if (untold.push(told) === 1) setImmediate(tellAll);
  }, "a page");
  openPage(t, url, driven).then(async (opened) => {
    await opened.addScriptTag({ path: BUNDLE });
    await opened.evaluate(connect, [url + nsp, { ...WAYS[way], auth, reconnectionDelay: 50, reconnectionDelayMax: 200 }]);
    page = opened;
    await tellAll();
  });
  return driven;
}

/** A page of the server's own origin: what it says of a request that is none. */
async function openPage(t, url, driven) {
  launched ??= Browser.launched();
  const { context } = await launched;
  const page = await context.newPage();
  t.after(() => page.close());
  await page.exposeFunction("say", (said) => driven.hear(said));
  page.on("response", (response) => {
    const coding = response.headers()["content-encoding"];
    if (coding !== undefined) driven.hear({ coding });
  });
  await page.goto(`${url}/socket.io/`);
  return page;
}

/** Runs in the page. */
function connect([url, options]) {
  const { io, say } = globalThis;
  const socket = io(url, options);
  const pack = (value) => {
    if (value instanceof ArrayBuffer) return { $bytes: btoa(String.fromCharCode(...new Uint8Array(value))) };
    if (Array.isArray(value)) return value.map(pack);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, pack(part)]));
  };
  const unpack = (value) => {
    if (Array.isArray(value)) return value.map(unpack);
    if (value === null || typeof value !== "object") return value;
    if (typeof value.$bytes === "string") return Uint8Array.from(atob(value.$bytes), (c) => c.charCodeAt(0));
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unpack(part)]));
  };
  socket.on("connect", () => say({ connect: socket.id }));
  socket.on("disconnect", (reason) => say({ disconnect: reason }));
  socket.on("connect_error", ({ message, data }) => say({ error: { message, data } }));
  socket.onAny((...event) => {
    const answer = typeof event.at(-1) === "function" ? event.pop() : undefined;
    say({ event: event.map(pack) });
    answer?.(...event.slice(1));
  });
  globalThis.tell = ({ emit, ask, leave }) => {
    if (emit) socket.emit(...emit.map(unpack));
    if (ask) socket.emit(...ask.slice(1).map(unpack), (...answer) => say({ answer: [ask[0], ...answer.map(pack)] }));
    if (leave) socket.disconnect();
  };
}

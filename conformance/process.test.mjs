//! The program `fanfare serve` as a process: where it listens, what it can't, how it ends.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { Client, WAYS } from "./lib/client.mjs";
import { within } from "./lib/deadline.mjs";
import { Program, addresses, binary, newDatabase, startBinary, startRoom } from "./lib/program.mjs";
import { Visitor, visit } from "./lib/visitor.mjs";

const LOCAL = ["--listen", "127.0.0.1:0"];

test("without a command it serves", async (t) => {
  const { url } = await startBinary(t, ["--database", await newDatabase(t), ...LOCAL]);
  assert.equal((await visit(url, "/healthz")).status, 200);
});

test("at several addresses it serves one room", async (t) => {
  const { program } = await startBinary(t, ["serve", "--database", await newDatabase(t), ...LOCAL, ...LOCAL]);
  const urls = await program.until(() => `two addresses of ${program}`, () => {
    const found = addresses(program);
    return found.length === 2 && found;
  });
  const tabs = [];
  for (const [index, url] of urls.entries()) tabs.push(await (await Visitor.signedIn(t, url, `Guest ${index}`)).enters());
  await Promise.all(tabs.map((tab) => tab.hears("user count", 2)));
});

test("when the port is taken it says so, ends with 2, and names a command that works", async (t) => {
  const { url } = await startRoom(t);
  const { host } = new URL(url);
  let words = ["serve", "--database", await newDatabase(t), "--log", "warn", "--listen", host];
  // The port that it names may be gone by the time that somebody follows the advice.
  for (;;) {
    const program = new Program(t, binary(), words);
    await program.until(() => `an end or an address of ${program}`, () => program.ended || addresses(program).length > 0);
    if (!program.ended) break;
    assert.deepEqual(program.ended, { code: 2, signal: null }, `${program}`);
    assert.match(program.output, new RegExp(`${words.at(-1)} is taken`));
    const [, advice] = /^ +fanfare (serve .*)$/m.exec(program.output) ?? assert.fail(`${program}`);
    assert.deepEqual(advice.split(" ").slice(0, -1), words.slice(0, -1));
    words = advice.split(" ");
    assert.notEqual(words.at(-1), host);
  }
});

const REFUSED = [
  [["serve", "--port", "3000"], /--port/],
  [["--listen", "nowhere"], /nowhere.*--listen/],
  [["--listen", "127.0.0.1:99999"], /127\.0\.0\.1:99999/],
  [["serve", "--origin", "example.org"], /example\.org.*--origin/],
  [["serve", "--log", "====="], /=====.*--log/],
  [["serve", "--listen"], /--listen/],
  [["sing"], /sing/],
  [["serve", ...LOCAL, "--database", "fanfare.db"], /fanfare\.db.*--database/],
  [["serve", ...LOCAL, "--database", "mysql://127.0.0.1/fanfare"], /mysql.*--database/],
  [["serve", ...LOCAL, "--database", "postgres://127.0.0.1"], /names no database/],
  [["serve", ...LOCAL, "--database", "postgres://127.0.0.1:1/fanfare"], /127\.0\.0\.1:1.*is PostgreSQL running/],
  [["serve", ...LOCAL, "--database", "sqlite:///nowhere/fanfare.db"], /\/nowhere\/fanfare\.db.*--database/],
  [["serve", ...LOCAL, "--database", "sqlite:///proc/version"], /\/proc\/version is no SQLite database/],
];

for (const [args, named] of REFUSED) {
  test(`'${args.join(" ")}' is refused with a sentence that names what is wrong, and exit code 2`, async (t) => {
    const program = new Program(t, binary(), args);
    assert.deepEqual(await program.exit(), { code: 2, signal: null }, `${program}`);
    assert.match(program.output, named);
    assert.doesNotMatch(program.output, /panicked|RUST_BACKTRACE|listening on/);
  });
}

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} ends it with 0, and every client sees the end at once`, async (t) => {
    const server = await startRoom(t);
    const tabs = [];
    for (const [way, options] of Object.entries(WAYS)) {
      tabs.push(await (await Visitor.signedIn(t, server.url, way)).enters({ ...options, reconnection: false }));
    }
    const stranger = Client.open(t, server.url);
    await stranger.failure();
    assert.deepEqual(await server.stop(signal), { code: 0, signal: null });
    for (const tab of tabs) await tab.until(() => `the end; ${tab}`, () => tab.disconnects.length === 1);
    assert.doesNotMatch(server.program.output, /panicked|ERROR/);
  });
}

test("at the end every WebSocket gets one Close frame, however fast it answers", async (t) => {
  const server = await startRoom(t);
  const ends = await Promise.all(Array.from({ length: 100 }, () => openWebSocket(server.url)));
  await server.stop();
  for (const frames of await within(Promise.all(ends.map(({ closed }) => closed)), "the end of every WebSocket")) {
    assert.deepEqual(frames.filter((opcode) => opcode === CLOSE), [CLOSE], frames.join());
  }
});

test("two rooms with databases of their own do not know each other's people", async (t) => {
  const [here, there] = [await startRoom(t), await startRoom(t)];
  const ann = await Visitor.signedIn(t, here.url, "Ann");
  const abroad = Client.open(t, there.url, { extraHeaders: { cookie: ann.cookie } });
  assert.match((await abroad.failure()).message, /^not signed in, your session has ended/);
});

const CLOSE = 8;

/** A WebSocket that answers a Close frame at once, as browsers do, and goes on reading; the opcodes that it has got. */
async function openWebSocket(url) {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const head = [
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
    `Host: ${host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  const frames = [];
  let bytes = Buffer.alloc(0);
  let isOpen = false;
  const closed = once(socket, "close").then(() => frames);
  await new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("data", (data) => {
      bytes = Buffer.concat([bytes, data]);
      const end = isOpen ? 0 : bytes.indexOf("\r\n\r\n") + 4;
      if (end < 4 && !isOpen) return;
      isOpen = true;
      bytes = bytes.subarray(end);
      for (let size; bytes.length >= 2 && bytes.length >= (size = 2 + bytes[1]); bytes = bytes.subarray(size)) {
        frames.push(bytes[0] & 15);
        if (frames.at(-1) === CLOSE) socket.write(Buffer.from([0x80 | CLOSE, 0x80, 0, 0, 0, 0]));
      }
      resolve();
    });
  });
  return { closed };
}

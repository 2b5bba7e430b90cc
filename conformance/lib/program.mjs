//! The programs under test: each on a port of its own, ended by its process id when the test ends.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { PATIENCE_MS, Watched } from "./deadline.mjs";

/** Children that would outlive us if the runner ended this file in the middle of a test. */
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
process.once("SIGTERM", () => process.exit(1));

/** A process of ours, and what it has printed. */
export class Program extends Watched {
  output = "";
  /** Set when it has ended: `{ code, signal }`. */
  ended;
  #child;

  constructor(t, file, args = [], env = {}) {
    super();
    this.#child = spawn(file, args, { env: { ...process.env, ...env }, stdio: "pipe" });
    // Who has ended reads nothing more; that it has is seen elsewhere.
    this.#child.stdin.on("error", () => {});
    running.add(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        this.output += text;
        this.changed();
      });
    }
    this.#child.on("error", (error) => {
      this.output += `${error}\n`;
      this.#end({ code: null, signal: null });
    });
    this.#child.on("close", (code, signal) => this.#end({ code, signal }));
    t.after(() => this.kill("SIGKILL"));
  }

  get pid() {
    return this.#child.pid;
  }

  /** Calls back with each line that it prints. */
  onLine(callback) {
    createInterface({ input: this.#child.stdout }).on("line", callback);
  }

  write(text) {
    this.#child.stdin.write(text);
  }

  /** Ends it, and says how it ended. */
  async kill(signal = "SIGTERM") {
    if (!this.ended) this.#child.kill(signal);
    return this.exit();
  }

  /** How it ended. */
  exit(ms = PATIENCE_MS) {
    return this.until(() => `the end of ${this}`, () => this.ended, ms);
  }

  toString() {
    return `${this.#child.spawnargs.join(" ")}, which printed:\n${this.output}`;
  }

  #end(how) {
    running.delete(this.#child);
    this.ended ??= how;
    this.changed();
  }
}

/** A server that can be ended and started again at the same address. */
class Server {
  /** Where it listens. */
  url;
  program;
  #start;

  constructor(start) {
    this.#start = start;
  }

  static async started(start) {
    const server = new Server(start);
    await server.start();
    return server;
  }

  async start() {
    const port = this.url === undefined ? 0 : Number(new URL(this.url).port);
    ({ program: this.program, url: this.url } = await this.#start(port));
  }

  /** Ends it, and says how it ended. */
  stop(signal) {
    return this.program.kill(signal);
  }
}

/** One of the examples, listening. */
export function startExample(t, name, env = {}) {
  return startOnPort(t, join(given("FANFARE_EXAMPLES"), name), [], env);
}

/** A program that listens at `PORT`, and does not say so. */
export function startOnPort(t, file, args = [], env = {}) {
  const at = (port) => onPort(t, file, args, { ...env, PORT: String(port) }, port);
  return Server.started((port) => (port === 0 ? onFreePort(at) : at(port)));
}

/** The room, listening, with a database of its own and more arguments if there are any. */
export async function startRoom(t, ...more) {
  const args = ["serve", "--database", await newDatabase(t), ...more];
  return Server.started((port) => startBinary(t, [...args, "--listen", `127.0.0.1:${port}`]));
}

/** A place where a room may keep its database. It is gone when the test ends. */
export async function newDatabase(t) {
  return `sqlite://${join(await newFolder(t), "fanfare.db")}`;
}

/** An empty folder. It is gone when the test ends. */
export async function newFolder(t) {
  const folder = await mkdtemp(join(tmpdir(), "fanfare-room-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The binary with these arguments, and the first address at which it says that it listens. */
export async function startBinary(t, args) {
  const program = new Program(t, binary(), args);
  const url = await program.until(() => `the address of ${program}`, () => {
    assert(!program.ended, `ended before it listened: ${program}`);
    return addresses(program)[0];
  });
  return { program, url };
}

/** Where a program says that it listens. */
export function addresses(program) {
  return [...program.output.matchAll(/^listening on (http:\S+)$/gm)].map(([, url]) => url);
}

/** A program of other makers' crates. */
export function foreign(name) {
  return join(given("FANFARE_FOREIGN"), name);
}

/** The Python that has other makers' packages. */
export function python() {
  return given("FANFARE_PYTHON");
}

/** The binary `fanfare`. */
export function binary() {
  return given("FANFARE_BIN");
}

/** A port that nobody has, as far as anybody can know. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** They do not say where they listen, so they are told, and told again if somebody else was faster. */
async function onFreePort(start) {
  for (;;) {
    const server = await start(await freePort());
    if (!server.program.ended) return server;
    assert.match(server.program.output, /in use/i, `${server.program}`);
  }
}

async function onPort(t, file, args, env, port) {
  const program = new Program(t, file, args, env);
  const deadline = Date.now() + PATIENCE_MS;
  while (!program.ended && !(await answers(port))) {
    assert(Date.now() < deadline, `does not listen: ${program}`);
    await pause(10);
  }
  return { program, url: `http://127.0.0.1:${port}` };
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false)).on("connect", () => socket.destroy());
  });
}

/** What whoever runs the tests says in the environment. */
export function given(name) {
  const value = process.env[name];
  assert(value, `${name} is not set: run these tests with 'cargo xtask test conformance'`);
  return value;
}

//! One of the two servers, and what all exchanges with it came to.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Network } from "../lib/network.mjs";
import { given, Program } from "../lib/program.mjs";
import { Exchange } from "./exchange.mjs";

/** How many exchanges are held at a time: some of them wait, and none of them works much. */
const AT_A_TIME = 16;

const HERE = dirname(fileURLToPath(import.meta.url));

/** Runs so far: what one was told is not another's. */
let runs = 0;

export class Side {
  run = (runs += 1);
  /** Where each setup listens. */
  urls;
  #program;
  #read = 0;
  #told = new Map();

  /** The reference. */
  static reference(t) {
    return Side.#start(new Program(t, process.execPath, [join(HERE, "servers/reference.mjs")]));
  }

  /** fanfare. */
  static fanfare(t) {
    const dist = join(HERE, "../node_modules/socket.io/client-dist");
    return Side.#start(new Program(t, given("FANFARE_ORACLE"), [], { CLIENT_DIST: dist }));
  }

  static async #start(program) {
    const side = new Side();
    side.#program = program;
    await program.until(() => `the addresses of ${program}`, () => {
      assert(!program.ended, `ended before it listened: ${program}`);
      side.#readAll();
      return side.urls;
    });
    return side;
  }

  /** One setup of the same server, behind a network in which `change` is done to what it says. */
  async behind(t, setup, change) {
    const side = new Side();
    side.#program = this.#program;
    const network = await Network.to(t, this.urls[setup]);
    network.changeAnswers(change);
    side.urls = { [setup]: network.url };
    return side;
  }

  /** What the application was told of the exchange `tag`, as soon as there are `count` things. */
  async told(tag, count) {
    const things = () => this.#told.get(tag) ?? [];
    await this.#program.until(() => `${count} things told of ${tag}; ${JSON.stringify(things())}`, () => {
      this.#readAll();
      return things().length >= count;
    });
    return things();
  }

  /** Holds all exchanges: the transcript of each, or the error that it ended with. */
  async hold(exchanges) {
    const held = new Map();
    const waiting = [...exchanges.entries()];
    const work = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [n, exchange] = next;
        held.set(exchange.name, await this.#holdOne(exchange, n));
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    return held;
  }

  async #holdOne(exchange, n) {
    const held = new Exchange(this, exchange, n);
    try {
      await exchange.run(held);
    } catch (error) {
      const crash = this.#program.ended ? `; it has ended: ${this.#program}` : "";
      held.transcript.set(FAILURE, `${error.message}${crash}`);
    } finally {
      held.close();
    }
    return held.transcript;
  }

  #readAll() {
    const end = this.#program.output.lastIndexOf("\n") + 1;
    const lines = this.#program.output.slice(this.#read, end).split("\n");
    this.#read = end;
    for (const line of lines.filter((line) => line.startsWith("{"))) {
      const { listening, tag, saw } = JSON.parse(line);
      if (listening) this.urls ??= listening;
      else this.#told.set(tag, [...(this.#told.get(tag) ?? []), saw]);
    }
  }
}

/** The field of an exchange that did not come to its end. */
export const FAILURE = "failure";

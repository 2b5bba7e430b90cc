//! A client that lives in another program or in a page, and is driven line by line.
//!
//! It is told `{emit: [event, …]}`, `{ask: [number, event, …]}` and `{leave: true}`. It says what happens to it: `{connect: id}`,
//! `{disconnect: reason}`, `{error: {message, data}}`, `{event: [event, …]}`, `{answer: [number, …]}` and, of the body of a poll that came
//! compressed, `{coding: name}`. Binary data is `{"$bytes": base64}` on the way. What it is asked by the server, it answers with the question.

import { Watched } from "./deadline.mjs";

export class Driven extends Watched {
  events = [];
  disconnects = [];
  errors = [];
  codings = new Set();
  connects = 0;
  /** Its id, as long as it is connected. */
  id;
  #answers = new Map();
  #asked = 0;
  #tell;
  #where;

  /** `tell` brings it what it is told; `where` is what it lives in. */
  constructor(tell, where) {
    super();
    this.#tell = tell;
    this.#where = where;
  }

  emit(event, ...args) {
    this.#tell({ emit: [event, ...args.map(pack)] });
  }

  /** All arguments of the server's answer to an event. */
  async asks(event, ...args) {
    const number = (this.#asked += 1);
    this.#tell({ ask: [number, event, ...args.map(pack)] });
    const answer = await this.until(() => `an answer to '${event}'; ${this}`, () => this.#answers.get(number));
    this.#answers.delete(number);
    return answer;
  }

  leave() {
    this.#tell({ leave: true });
  }

  /** The first arguments of all events of this name. */
  heard(name) {
    return this.events.filter(([event]) => event === name).map(([, first]) => first);
  }

  /** Takes in what it says. */
  hear(said) {
    const [[what, value]] = Object.entries(said);
    switch (what) {
      case "connect":
        this.connects += 1;
        this.id = value;
        break;
      case "disconnect":
        this.disconnects.push(value);
        this.id = undefined;
        break;
      case "error":
        this.errors.push(value);
        break;
      case "event":
        this.events.push(value.map(unpack));
        break;
      case "answer":
        this.#answers.set(value[0], value.slice(1).map(unpack));
        break;
      case "coding":
        this.codings.add(value);
        break;
      default:
        throw new Error(`nothing that a client says: ${JSON.stringify(said)}`);
    }
    this.changed();
  }

  toString() {
    const { events, disconnects, errors, connects } = this;
    return JSON.stringify({ connects, disconnects, errors, events: events.slice(-10) }) + ` in ${this.#where}`;
  }
}

/** The value with its binary parts as base64. */
export function pack(value) {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(pack);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, pack(part)]));
}

/** The value that was packed. */
export function unpack(value) {
  if (Array.isArray(value)) return value.map(unpack);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$bytes === "string") return Buffer.from(value.$bytes, "base64");
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unpack(part)]));
}

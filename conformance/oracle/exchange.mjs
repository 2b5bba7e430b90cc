//! One exchange with one server: what is asked of it, and the transcript of what it says.

import { Normal } from "./normal.mjs";
import { request } from "./wire.mjs";
import { Poller } from "./poller.mjs";
import { Peer } from "./peer.mjs";

/** An exchange of the script: its name, the setup of the server that it is held with, and what is done. */
export function exchange(setup, name, run) {
  return { name, setup, run };
}

/** An exchange under way, or held. */
export class Exchange {
  /** What was heard: from the name of each field to its value. */
  transcript = new Map();
  #server;
  #url;
  #tag;
  #steps = 0;
  #normal = new Normal();
  #open = new Set();

  /** One of the script's, number `n`, with `server`. */
  constructor(server, { setup }, n) {
    this.#server = server;
    this.#url = server.urls[setup];
    this.#tag = `${server.run}-${n}`;
  }

  /** Notes a field. Ids and the like are replaced: two servers never agree on them. */
  note(field, value) {
    if (this.transcript.has(field)) throw new Error(`two fields are called '${field}'`);
    this.transcript.set(field, this.#normal.of(value));
  }

  /** The name of the next thing that is done. */
  step(what) {
    this.#steps += 1;
    return `${this.#steps} ${what}`;
  }

  /** The address of a request by the client `name`. What `target` has no path for is Engine.IO's. */
  address(target, name = "ann") {
    const url = new URL(target.startsWith("/") ? target : `/socket.io/?${target}`, this.#url);
    url.search += `${url.search === "" ? "?" : "&"}tag=${this.#tag}-${name}`;
    return url;
  }

  /** Makes a request, and notes what it is answered. */
  async ask(method, target, options = {}) {
    const step = this.step(method);
    const answer = await request(this.address(target, options.name), { method, ...options });
    this.answered(step, answer);
    return answer;
  }

  /** Notes an answer. */
  answered(step, { status, headers, body }) {
    this.note(`${step}: status`, status);
    for (const [name, value] of Object.entries(headers)) this.note(`${step}: ${name}`, value);
    if (body !== undefined) this.note(`${step}: body`, body);
  }

  /** A session on polling. */
  polling(options) {
    return Poller.open(this, options);
  }

  /** A WebSocket, with a session of its own unless `sid` is one's; or nothing if it is refused. */
  async websocket(options) {
    const peer = await Peer.open(this, options);
    if (peer) this.#open.add(peer);
    return peer;
  }

  /** A client that is connected to a namespace over a WebSocket. */
  async socket({ nsp = "", ...options } = {}) {
    const peer = await this.websocket(options);
    peer.send(`40${nsp}`);
    await peer.hears(2);
    return peer;
  }

  /** Waits until the application was told `count` things of the client `name`, and notes them. Of other namespaces than the main one it is
   * told as of another client, `ann /chat`. */
  async told(count, name = "ann") {
    const things = await this.#server.told(`${this.#tag}-${name}`, count);
    this.note(this.step(`the application, of ${name}`), things);
  }

  /** The same, where the two servers tell more and less: until what is told last is `last`. */
  async toldUntil(last, name = "ann") {
    let things = [];
    do {
      things = await this.#server.told(`${this.#tag}-${name}`, things.length + 1);
    } while (things.at(-1)[0] !== last);
    this.note(this.step(`the application, of ${name}`), things);
  }

  /** Waits until the application was told that a request of the client `name` was refused, and notes why. */
  async toldWhy(name = "ann") {
    await this.told(1, `${name} refused`);
  }

  /** Waits until the server had every chance to read what it was sent before. */
  async hasArrived() {
    for (let n = 0; n < 3; n += 1) await request(new URL("/nowhere", this.#url));
  }

  /** Ends what is still open. */
  close() {
    this.#open.forEach((peer) => peer.cut());
  }
}

//! A session on polling.

import { within } from "../lib/deadline.mjs";
import { request, send } from "./wire.mjs";

export class Poller {
  #exchange;
  #query;
  #name;
  /** The session's id, if there is a session. */
  sid;

  constructor(exchange, query, name) {
    Object.assign(this, { sid: undefined });
    this.#exchange = exchange;
    this.#query = query;
    this.#name = name;
  }

  /** Opens a session, and notes what is said about it. */
  static async open(exchange, { eio = 4, query = "", name = "ann", ...options } = {}) {
    const poller = new Poller(exchange, `EIO=${eio}&transport=polling${query}`, name);
    const { body } = await exchange.ask("GET", poller.#query, { name, ...options });
    poller.sid = /sid\\?":\\?"([^"\\]+)/.exec(body)?.[1];
    return poller;
  }

  /** The query of all its requests. */
  get target() {
    return `${this.#query}&sid=${this.sid}`;
  }

  /** A request of this session, noted. */
  async ask(method, options = {}) {
    const { body } = await this.#exchange.ask(method, this.target, { name: this.#name, ...options });
    return body;
  }

  poll(options) {
    return this.ask("GET", options);
  }

  post(body, options) {
    return this.ask("POST", { body, ...options });
  }

  /** A poll that nothing is there for. What it returns waits for the answer and notes it. */
  async wait() {
    const step = this.#exchange.step("GET that waits");
    const waiting = send(this.#exchange.address(this.target, this.#name));
    await waiting.sent;
    await this.#exchange.hasArrived();
    const end = async () => this.#exchange.answered(step, await within(waiting.answer, `an answer to ${step}`));
    return Object.assign(end, { abandon: waiting.abandon });
  }

  /** Polls until there were `count` packets, and notes them, whatever polls they came with. */
  async hears(count) {
    const step = this.#exchange.step("hears");
    const packets = [];
    while (packets.length < count) {
      const { status, body } = await request(this.#exchange.address(this.target, this.#name));
      if (status !== 200) throw new Error(`${status} ${body} after ${JSON.stringify(packets)}`);
      packets.push(...body.split("\x1e"));
    }
    this.#exchange.note(step, packets);
    return packets;
  }

  /** Connects to a namespace. */
  async joins(nsp = "") {
    await this.post(`40${nsp}`);
    return this.hears(1);
  }
}

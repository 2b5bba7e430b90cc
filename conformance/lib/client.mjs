//! The official client, of whichever version, and everything that it has heard.

import { io } from "socket.io-client";
import io2 from "socket.io-client2";
import { io as io3 } from "socket.io-client3";
import { Watched, within } from "./deadline.mjs";

/** The ways to connect, by name. */
export const WAYS = {
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};

/** A socket of the official client 4.x. It leaves when the test ends. */
export class Client extends Watched {
  /** What the library exports to connect with. */
  static io = io;
  /** The events by which a socket says that it could not connect, or may not. */
  static failures = ["connect_error"];

  /** Every event with its arguments, in order of arrival. */
  events = [];
  /** The reasons of disconnects, in order. */
  disconnects = [];
  /** The errors of attempts to connect, in order. */
  errors = [];
  /** How many times it has connected. */
  connects = 0;

  constructor(t, socket) {
    super();
    this.socket = socket;
    this.listen((...event) => this.#note(() => this.events.push(event)));
    this.socket.on("connect", () => this.#note(() => (this.connects += 1)));
    this.socket.on("disconnect", (reason) => this.#note(() => this.disconnects.push(reason)));
    for (const name of this.constructor.failures) {
      this.socket.on(name, (error) => this.#note(() => this.errors.push(error.message === undefined ? Error(error) : error)));
    }
    this.socket.io.on("open", () => this.socket.io.engine.on("upgrade", () => this.changed()));
    t.after(() => this.socket.disconnect());
  }

  /** A client that begins to connect now, over a connection of its own. */
  static open(t, url, options = {}) {
    return new this(t, this.io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options }));
  }

  /** A client that is connected, and has arrived on the last of its transports. */
  static async connected(t, url, options = {}) {
    const client = this.open(t, url, options);
    await client.arrival();
    return client;
  }

  /** Calls back with each event and its arguments. */
  listen(callback) {
    this.socket.onAny(callback);
  }

  /** The name of the transport in use. */
  get transport() {
    return this.socket.io.engine.transport.name;
  }

  /** Waits until it is connected over the last of its transports. */
  async arrival() {
    await this.until(
      () => `connecting; ${this}`,
      () => this.socket.connected && this.transport === (this.socket.io.opts.transports ?? WAYS.upgrade.transports).at(-1),
    );
  }

  /** Waits until the connection is lost, and forgets what came over it. */
  async loses() {
    await this.until(() => `the end; ${this}`, () => this.disconnects.length > 0 && !this.socket.connected);
    this.events = [];
  }

  /** All arguments of the server's answer to an event. Client 3.x has neither `emitWithAck` nor `timeout`. */
  asks(event, ...args) {
    const answer = new Promise((resolve) => this.socket.emit(event, ...args, (...answer) => resolve(answer)));
    return within(answer, () => `an answer to '${event}'; ${this}`);
  }

  /** The first argument of the server's answer to an event. */
  async ask(event, ...args) {
    const [first] = await this.asks(event, ...args);
    return first;
  }

  /** Its id, as long as it is connected. */
  get id() {
    return this.socket.id;
  }

  leave() {
    this.socket.disconnect();
  }

  /** Sends an event that wants no answer. */
  emit(event, ...args) {
    this.socket.emit(event, ...args);
  }

  /** The first arguments of all events of this name. */
  heard(name) {
    return this.events.filter(([event]) => event === name).map(([, first]) => first);
  }

  /** Waits until the last event of this name has `value` as its first argument. */
  async hears(name, value) {
    await this.until(() => `'${name}' ${value}; ${this}`, () => this.heard(name).at(-1) === value);
  }

  /** Waits for the next failure to connect. */
  async failure() {
    return this.until(() => `a failure to connect; ${this}`, () => this.errors.at(-1));
  }

  toString() {
    const { events, disconnects, errors, connects } = this;
    return JSON.stringify({ connects, disconnects, errors: errors.map(String), events: events.slice(-10) });
  }

  #note(change) {
    change();
    this.changed();
  }
}

/** The same of client 3.x. */
export class Client3 extends Client {
  static io = io3;
}

/** The same of client 2.x, which has no listener for every event, and calls the server's refusal an error. */
export class Client2 extends Client {
  static io = io2;
  static failures = ["connect_error", "error"];

  listen(callback) {
    const onevent = this.socket.onevent;
    this.socket.onevent = function (packet) {
      callback(...packet.data);
      onevent.call(this, packet);
    };
  }
}

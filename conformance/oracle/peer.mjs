//! A WebSocket, frame by frame.

import { randomBytes } from "node:crypto";
import { Receiver } from "ws";
import { Watched } from "../lib/deadline.mjs";
import { request } from "./wire.mjs";

/** The headers that ask for a WebSocket. */
export const ASKING = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

export class Peer extends Watched {
  #exchange;
  #name;
  #socket;
  #heard = [];
  #taken = 0;
  /** How the connection ended. */
  #end;

  constructor(exchange, name, { socket, head }) {
    super();
    this.#exchange = exchange;
    this.#name = name;
    this.#socket = socket;
    this.#listen(head);
  }

  /** Asks for a WebSocket, and notes the answer. Nothing is returned if there is none. */
  static async open(exchange, { eio = 4, query = "", sid, name = "ann", headers = {} } = {}) {
    const target = `EIO=${eio}&transport=websocket${sid === undefined ? "" : `&sid=${sid}`}${query}`;
    const step = exchange.step("GET for a WebSocket");
    const answer = await request(exchange.address(target, name), { headers: { ...ASKING, ...headers } });
    exchange.answered(step, answer);
    return answer.socket && new Peer(exchange, name, answer);
  }

  /** Sends packets, each in a frame: text, or bytes. */
  send(...packets) {
    const frames = packets.map((packet) => frame(typeof packet === "string" ? 0x81 : 0x82, Buffer.from(packet)));
    this.#socket.write(Buffer.concat(frames));
  }

  /** Sends a frame with this first byte. */
  sendFrame(first, payload = Buffer.alloc(0)) {
    this.#socket.write(frame(first, payload));
  }

  /** Waits for the next `count` packets, and notes them. */
  async hears(count = 1) {
    await this.#until(`${count} packets`, () => this.#heard.length >= this.#taken + count);
    return this.#take(count);
  }

  /** Notes all that comes before the answer to a question that is asked now: what is not there then does not come. */
  async settles(nsp = "") {
    this.send(`42${nsp}999["echo"]`);
    const isLast = (packet) => packet === `43${nsp}999[]`;
    await this.#until("the answer that ends it", () => this.#heard.slice(this.#taken).some(isLast));
    return this.#take(this.#heard.slice(this.#taken).findIndex(isLast) + 1);
  }

  /** Waits until the server ends the connection, and notes what came before and how it ends. */
  async ends() {
    await this.#until("the end", () => this.#end);
    this.#take(this.#heard.length - this.#taken);
    this.#exchange.note(this.#exchange.step(`${this.#name}'s end`), this.#end);
  }

  /** Notes the next packet, or how the server ends the connection instead. */
  async endsOrHears() {
    await this.until("a packet or the end", () => this.#end ?? this.#heard[this.#taken]);
    return this.#end === undefined ? this.#take(1) : this.ends();
  }

  /** Says goodbye as RFC 6455 wants it. */
  close() {
    this.sendFrame(0x88);
  }

  /** Ends the connection without a word. */
  cut() {
    this.#socket.destroy();
  }

  #listen(head) {
    const receiver = new Receiver({ isServer: false });
    receiver.on("message", (data, isBinary) => this.#hear(isBinary ? `bytes ${data.toString("hex")}` : data.toString()));
    receiver.on("ping", () => this.#hear("a ping of WebSocket"));
    receiver.on("pong", () => this.#hear("a pong of WebSocket"));
    receiver.on("conclude", (code, reason) => this.#ends(`close ${`${code} ${reason}`.trim()}`));
    receiver.on("error", (error) => this.#ends(`no WebSocket: ${error.message}`));
    this.#socket.on("error", () => this.#ends("reset"));
    this.#socket.on("close", () => this.#ends("no close frame"));
    if (head.length > 0) receiver.write(head);
    this.#socket.pipe(receiver);
  }

  #hear(packet) {
    this.#heard.push(packet);
    this.changed();
  }

  #ends(how) {
    this.#end ??= how;
    this.changed();
  }

  #until(what, condition) {
    const heard = () => `${what}; heard ${JSON.stringify(this.#heard.slice(this.#taken))}, end: ${this.#end}`;
    return this.until(heard, () => {
      if (condition()) return true;
      if (this.#end !== undefined) throw new Error(`ended before ${heard()}`);
    });
  }

  #take(count) {
    const packets = this.#heard.slice(this.#taken, this.#taken + count);
    this.#taken += count;
    this.#exchange.note(this.#exchange.step(`${this.#name} hears`), packets);
    return packets;
  }
}

/** A client's frame: masked, as it must be. */
function frame(first, payload) {
  const mask = randomBytes(4);
  const masked = payload.map((byte, index) => byte ^ mask[index % 4]);
  return Buffer.concat([Buffer.from([first]), length(payload.length), mask, masked]);
}

function length(bytes) {
  if (bytes < 126) return Buffer.from([0x80 | bytes]);
  const long = Buffer.from([0x80 | 126, 0, 0]);
  long.writeUInt16BE(bytes, 1);
  return long;
}

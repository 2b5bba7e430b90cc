//! Two servers of one cluster, Node's and fanfare, which do the same things when they are asked to.
//!
//! What is done is done to whom `{ nsp, to, except, volatile }` names: everyone in `/`, unless it says otherwise.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { instrument } from "@socket.io/admin-ui";
import { createAdapter } from "@socket.io/redis-adapter";
import { Server } from "socket.io";
import { Client, WAYS } from "../lib/client.mjs";
import { within } from "../lib/deadline.mjs";
import { addresses, given, Program } from "../lib/program.mjs";

/** How long answers are waited for. Node's adapter keeps a process alive for as long, even when all have come. */
const ANSWER_MS = 5_000;

/** Node's server with its classic adapter. */
export class NodePeer {
  name = "Node";
  url;
  io;

  /** With Socket.IO's admin UI, if it `hasAdmin`: then it tells every 2 s how many are in its namespaces. */
  static async started(t, redis, key, { hasAdmin = false } = {}) {
    const peer = new NodePeer();
    const [pub, sub] = [await redis.connection(), await redis.connection()];
    const http = createServer();
    peer.io = new Server(http, { adapter: createAdapter(pub, sub, { key }) });
    if (hasAdmin) instrument(peer.io, { auth: false, mode: "production", serverId: key });
    for (const nsp of [peer.io.of("/"), peer.io.of("/chat")]) {
      nsp.use((socket, next) => {
        socket.data.maker = "Node";
        next();
      });
      nsp.on("told", (value) => nsp.local.emit("told", value));
      nsp.on("greet", (name, answer) => answer(`Node greets ${name}`));
    }
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    peer.url = `http://127.0.0.1:${http.address().port}`;
    t.after(async () => {
      await peer.io.close();
      await within(Promise.all([pub.close(), sub.close()]), "the end of the connections to Redis");
    });
    return peer;
  }

  async emit(select, ...args) {
    this.#of(select).emit("said", ...args);
  }

  async join(select, room) {
    this.#of(select).socketsJoin(room);
    await this.#hasMoved(select);
  }

  async leave(select, room) {
    this.#of(select).socketsLeave(room);
    await this.#hasMoved(select);
  }

  async disconnect(select) {
    this.#of(select).disconnectSockets();
  }

  /** Says something to the other servers themselves. */
  async tell(select, value) {
    this.io.of(select.nsp ?? "/").serverSideEmit("told", value);
  }

  async ask(select, question, ms = ANSWER_MS) {
    try {
      return { answers: await this.#of(select).timeout(ms).emitWithAck("question", question), isComplete: true };
    } catch (error) {
      return { answers: error.responses, isComplete: false };
    }
  }

  /** What the other servers themselves answer. */
  async askNodes(select, name) {
    return within(this.io.of(select.nsp ?? "/").serverSideEmitWithAck("greet", name), "answers of all servers");
  }

  async fetch(select = {}) {
    const found = await this.#of(select).fetchSockets();
    return found.map(({ id, rooms, data, handshake }) => {
      const { address, auth, url, query, headers } = handshake;
      return { id, rooms: [...rooms].filter((room) => room !== id), data, address, auth, url, query, headers };
    });
  }

  /** Says `to one` to a socket that it has fetched, and what that one answers. */
  async askOne(id, question) {
    const found = (await this.io.fetchSockets()).find((socket) => socket.id === id);
    found.emit("said", "to one");
    return found.timeout(ANSWER_MS).emitWithAck("question", question);
  }

  /** Node moves its own sockets only when Redis brings it its own request, which is before any answer to the next one. */
  async #hasMoved({ nsp = "/" }) {
    await this.io.of(nsp).fetchSockets();
  }

  #of({ nsp = "/", to = [], except = [], volatile = false }) {
    const everyone = this.io.of(nsp).compress(true);
    const those = except.reduce((those, room) => those.except(room), to.reduce((those, room) => those.to(room), everyone));
    return volatile ? those.volatile : those;
  }
}

/** fanfare, of which `peer.rs` is the other half. */
export class FanfarePeer {
  name = "fanfare";
  url;
  #control;

  static async started(t, redis, key) {
    const peer = new FanfarePeer();
    const program = new Program(t, given("FANFARE_CLUSTER"), [], { REDIS: redis.url, PREFIX: key });
    peer.url = await program.until(() => `the address of ${program}`, () => {
      assert(!program.ended, `ended before it listened: ${program}`);
      return addresses(program)[0];
    });
    peer.#control = await Client.connected(t, `${peer.url}/control`, WAYS.websocket);
    return peer;
  }

  emit(select, value, bytes) {
    if (bytes === undefined) return this.#does("emit", select, value);
    return this.#does("emit binary", select, [value, bytes]);
  }

  join(select, room) {
    return this.#does("join", select, room);
  }

  leave(select, room) {
    return this.#does("leave", select, room);
  }

  disconnect(select) {
    return this.#does("end", select, null);
  }

  tell(select, value) {
    return this.#does("tell", select, value);
  }

  async ask(select, question, ms = ANSWER_MS) {
    const { missing, ...rest } = await this.#does("ask", select, [question, ms]);
    return { ...rest, missing, isComplete: missing === 0 };
  }

  async askNodes(select, name) {
    const { answers, missing } = await this.#does("ask nodes", select, [name, ANSWER_MS]);
    assert.equal(missing, 0);
    return answers;
  }

  async fetch(select = {}) {
    const found = await this.#does("fetch", select, null);
    assert(Array.isArray(found), JSON.stringify(found));
    return found;
  }

  /** How many are in `/` of the whole cluster, as far as it knows. */
  count() {
    return this.#does("count", {}, null);
  }

  askOne(id, question) {
    return this.#does("ask one", {}, [id, question]);
  }

  #does(what, select, how) {
    return this.#control.ask(what, select, how);
  }
}

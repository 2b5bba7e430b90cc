//! A cluster over a real Redis, of Node's server with its classic adapter and of fanfare. What one of them does reaches
//! the clients of both, and so does what Node's emitter does from outside.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { Emitter } from "@socket.io/redis-emitter";
import { FanfarePeer, NodePeer } from "./cluster/peers.mjs";
import { Client, WAYS } from "./lib/client.mjs";
import { noRedis, Redis, subscribers } from "./lib/redis.mjs";

/** What is ended with this file. */
const ends = [];
let redis;

/** Between two looks. */
const GLANCE_MS = 50;

/** What all groups of tests need. */
const NEEDS = { skip: noRedis() };

before(async () => {
  if (!NEEDS.skip) redis = await Redis.started({ after: (end) => ends.push(end) });
});
after(() => Promise.all(ends.map((end) => end())));

/** Clusters so far: each is under a name of its own. */
let clusters = 0;

/** Two servers that are one, and two clients of each. */
class Cluster {
  key = `test-${(clusters += 1)}`;
  clients = [];

  static async started(t, nsp = "/", ways = {}) {
    const cluster = new Cluster();
    const { key } = cluster;
    cluster.peers = await Promise.all([NodePeer.started(t, redis, key, ways), FanfarePeer.started(t, redis, key)]);
    [cluster.node, cluster.fanfare] = cluster.peers;
    // fanfare's clients wait until it is in the cluster; Node's do not.
    const connection = await cluster.connection(t);
    await subscribers(connection, `${key}-request#${nsp}#`, 2);
    for (const { name, url } of cluster.peers) {
      for (const number of [1, 2]) cluster.clients.push(await answering(t, url + nsp, `${name} ${number}`));
    }
    return cluster;
  }

  async connection(t) {
    const connection = await redis.connection();
    t.after(() => connection.close());
    return connection;
  }

  by(name) {
    return this.peers.find((peer) => peer.name === name);
  }

  /** The other of the two. */
  but(peer) {
    return this.peers.find((other) => other !== peer);
  }

  of(peer) {
    return this.clients.filter(({ name }) => name.startsWith(peer.name));
  }

  /** The first client of each server, as rooms. */
  firsts() {
    return [this.clients[0].id, this.clients[2].id];
  }

  /** What each client has heard, by its name, once all have heard the `end` that `say` says. */
  async heard(say) {
    await say("end");
    const present = this.clients.filter(({ socket }) => socket.connected);
    await Promise.all(present.map((client) => client.hears("said", "end")));
    const heard = ({ events }) => events.slice(0, -1).map(([, ...args]) => args.filter((arg) => typeof arg !== "function"));
    return Object.fromEntries(present.map((client) => [client.name, heard(client)]));
  }

  /** That these have heard these things, each a list of arguments, and all others nothing. */
  async onlyThese(say, expected) {
    const heard = await this.heard(say);
    const nothing = Object.fromEntries(Object.keys(heard).map((name) => [name, []]));
    assert.deepEqual(heard, { ...nothing, ...expected });
  }
}

/** A client that answers, unless it is told not to. */
async function answering(t, url, name) {
  const client = await Client.connected(t, url, { ...WAYS.websocket, reconnection: false, auth: { name } });
  client.name = name;
  client.socket.on("question", (question, answer) => client.isSilent || answer(`${name}: ${question}`));
  return client;
}

/** Everyone, with the same. */
function all(value) {
  return Object.fromEntries(ALL.map((name) => [name, value]));
}

const ALL = ["Node 1", "Node 2", "fanfare 1", "fanfare 2"];

/** What JSON can hold. */
const VALUE = [0, -7, 1.5, 2 ** 40, -(2 ** 53 - 1), 1.5e-300, "ü😀\n\0", "", null, true, { a: { "": [] }, b: [[{}]] }];

for (const name of ["Node", "fanfare"]) {
  describe(`${name} reaches both`, NEEDS, () => {
    /** A cluster, the one of its servers that acts, and how to say something to everyone there. */
    async function start(t, nsp) {
      const cluster = await Cluster.started(t, nsp);
      const actor = cluster.by(name);
      return { cluster, actor, other: cluster.but(actor), say: (what) => actor.emit({ nsp }, what) };
    }

    test("with an event, once", async (t) => {
      const { cluster, actor, say } = await start(t);
      await actor.emit({}, VALUE);
      await cluster.onlyThese(say, all([[VALUE]]));
    });

    test("with binary data", async (t) => {
      const { cluster, actor, say } = await start(t);
      for (const size of [0, 3, 70_000]) await actor.emit({}, { size }, Buffer.alloc(size, 0xc1));
      const expected = [0, 3, 70_000].map((size) => [{ size }, Buffer.alloc(size, 0xc1)]);
      await cluster.onlyThese(say, all(expected));
    });

    test("with a volatile event", async (t) => {
      const { cluster, actor, say } = await start(t);
      await actor.emit({ volatile: true }, "now");
      await cluster.onlyThese(say, all([["now"]]));
    });

    test("in the order in which it says things", async (t) => {
      const { cluster, actor, say } = await start(t);
      const [one] = cluster.firsts();
      const numbers = Array.from({ length: 200 }, (_, number) => number);
      await Promise.all(numbers.map((number) => actor.emit(number % 2 ? { to: [one] } : {}, number)));
      const even = numbers.filter((number) => number % 2 === 0).map((number) => [number]);
      await cluster.onlyThese(say, { ...all(even), "Node 1": numbers.map((number) => [number]) });
    });

    test("in rooms, each socket once, and not those who are excepted", async (t) => {
      const { cluster, actor, say } = await start(t);
      const [one, three] = cluster.firsts();
      await actor.join({}, "all");
      await actor.join({ to: [one, three] }, "firsts");
      await actor.emit({ to: ["all", "firsts"] }, 1);
      await actor.emit({ to: ["firsts"] }, 2);
      await actor.emit({ to: ["all"], except: ["firsts"] }, 3);
      await actor.emit({ except: [one, "nobody"] }, 4);
      await actor.emit({ to: ["nobody"] }, 5);
      await actor.emit({ to: [three] }, 6);
      await actor.leave({ to: [one] }, "firsts");
      await actor.emit({ to: ["firsts"] }, 7);
      await cluster.onlyThese(say, {
        "Node 1": [[1], [2]],
        "Node 2": [[1], [3], [4]],
        "fanfare 1": [[1], [2], [4], [6], [7]],
        "fanfare 2": [[1], [3], [4]],
      });
    });

    test("in one namespace, and not in others", async (t) => {
      const { cluster, actor, say } = await start(t, "/chat");
      await actor.emit({ nsp: "/" }, "not here");
      await actor.emit({ nsp: "/chat" }, "here");
      await cluster.onlyThese(say, all([["here"]]));
    });

    test("with a question, which everyone answers", async (t) => {
      const { cluster, actor } = await start(t);
      const { answers, isComplete, named } = await actor.ask({}, "well?");
      assert.deepEqual(answers.sort(), ALL.map((name) => `${name}: well?`));
      assert(isComplete);
      // Node does not say whose an answer is.
      if (actor === cluster.fanfare) assert.equal(named, 2);
    });

    test("with a question to some, and to nobody", async (t) => {
      const { cluster, actor } = await start(t);
      const { answers } = await actor.ask({ to: cluster.firsts() }, "well?");
      assert.deepEqual(answers.sort(), ["Node 1: well?", "fanfare 1: well?"]);
      const none = await actor.ask({ to: ["nobody"] }, "well?");
      assert.deepEqual([none.answers, none.isComplete], [[], true]);
    });

    test("with a question that somebody does not answer: the other answers are there, and that it is not all", async (t) => {
      const { cluster, actor, other } = await start(t);
      const [silent, ...rest] = cluster.of(other).concat(cluster.of(actor));
      silent.isSilent = true;
      const { answers, isComplete, missing } = await actor.ask({}, "well?", 2_000);
      assert.deepEqual(answers.sort(), rest.map(({ name }) => `${name}: well?`).sort());
      assert.equal(isComplete, false);
      if (actor === cluster.fanfare) assert.equal(missing, 1);
    });

    test("and finds the sockets of both, with all that is known of them", async (t) => {
      const { cluster, actor } = await start(t);
      await actor.join({ to: cluster.firsts() }, "firsts");
      const found = new Map((await actor.fetch()).map((socket) => [socket.id, socket]));
      assert.deepEqual([...found.keys()].sort(), cluster.clients.map(({ id }) => id).sort());
      for (const { id, name } of cluster.clients) {
        const { rooms, data, address, auth, url } = found.get(id);
        assert.deepEqual(rooms, name.endsWith("1") ? ["firsts"] : []);
        assert.deepEqual(data, { maker: name.split(" ")[0] });
        assert.deepEqual(auth, { name });
        assert.match(url, /^\/socket\.io\/\?EIO=4&transport=websocket/);
        // To itself fanfare tells the port too; Node knows addresses without one.
        const hasPort = actor === cluster.fanfare && name.startsWith("fanfare");
        assert.match(address, hasPort ? /^127\.0\.0\.1:\d+$/ : /^127\.0\.0\.1$/);
      }
      const some = await actor.fetch({ to: ["firsts"], except: [cluster.clients[0].id] });
      assert.deepEqual(some.map(({ id }) => id), [cluster.clients[2].id]);
    });

    test("and speaks with one that it has found", async (t) => {
      const { cluster, actor, other, say } = await start(t);
      const [one] = cluster.of(other);
      assert.equal(await actor.askOne(one.id, "you?"), `${one.name}: you?`);
      await cluster.onlyThese(say, { [one.name]: [["to one"], ["you?"]] });
    });

    test("and disconnects those whom it names", async (t) => {
      const { cluster, actor, say } = await start(t);
      await actor.disconnect({ to: cluster.firsts() });
      for (const client of [cluster.clients[0], cluster.clients[2]]) {
        await client.loses();
        assert.deepEqual(client.disconnects, ["io server disconnect"]);
      }
      assert.deepEqual(await cluster.heard(say), { "Node 2": [], "fanfare 2": [] });
    });

    test("and tells the other server itself something", async (t) => {
      const { cluster, actor, other } = await start(t);
      await actor.tell({}, VALUE);
      await Promise.all(cluster.of(other).map((client) => client.until(() => `it; ${client}`, () => client.events.length > 0)));
      assert.deepEqual(await cluster.heard((end) => actor.emit({}, end)), {
        ...all([]),
        ...Object.fromEntries(cluster.of(other).map(({ name }) => [name, [[VALUE]]])),
      });
    });

    test("and is answered by the other server itself", async (t) => {
      const { actor, other } = await start(t);
      assert.deepEqual(await actor.askNodes({}, "ann"), [`${other.name} greets ann`]);
    });
  });
}

describe("Node's server", NEEDS, () => {
  test("sends what JSON has no form for as it does to its own clients", async (t) => {
    const cluster = await Cluster.started(t);
    const say = (what) => cluster.node.emit({}, what);
    await say([new Date(1_500), undefined, { u: undefined }, NaN]);
    await cluster.node.emit({}, 0, Uint8Array.of(1, 2));
    await cluster.onlyThese(say, all([[["1970-01-01T00:00:01.500Z", null, {}, null]], [0, Buffer.of(1, 2)]]));
  });

  test("counts fanfare as a server, and knows its rooms", async (t) => {
    const cluster = await Cluster.started(t);
    const { adapter } = cluster.node.io.of("/");
    assert.equal(await adapter.serverCount(), 2);
    await cluster.fanfare.join({ to: [cluster.clients[2].id] }, "there");
    assert((await adapter.allRooms()).has("there"));
  });
});

/** What fanfare counts once that is as `expected`, or when a deadline has passed. */
async function counted(fanfare, expected) {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const count = await fanfare.count();
    if (isDeepStrictEqual(count, expected) || deadline < Date.now()) return count;
    await setTimeout(GLANCE_MS);
  }
}

describe("fanfare counts", NEEDS, () => {
  test("its own, and says that a server of Node is not among them", async (t) => {
    const { fanfare } = await Cluster.started(t);
    const expected = { sockets: 2, isComplete: false, uncounted: 1, atLeast: 2 };
    assert.deepEqual(await counted(fanfare, expected), expected);
  });

  test("those of a server of Node that tells of them, and forgets them with it", async (t) => {
    const { fanfare, node } = await Cluster.started(t, "/", { hasAdmin: true });
    const expected = { sockets: 4, isComplete: false, uncounted: 0, atLeast: 2 };
    assert.deepEqual(await counted(fanfare, expected), expected);
    await node.io.close();
    const left = { sockets: 2, isComplete: true, uncounted: 0, atLeast: 2 };
    assert.deepEqual(await counted(fanfare, left), left);
  });
});

test("fanfare reaches both with numbers that Node's own encoder would cut off", NEEDS, async (t) => {
  const cluster = await Cluster.started(t);
  const numbers = [1e300, -(2 ** 64), 2 ** 64];
  await cluster.fanfare.emit({}, numbers);
  await cluster.onlyThese((what) => cluster.fanfare.emit({}, what), all([[numbers]]));
});

describe("Node's emitter reaches both", NEEDS, () => {
  async function start(t, nsp = "/") {
    const cluster = await Cluster.started(t, nsp);
    const emitter = new Emitter(await cluster.connection(t), { key: cluster.key }, nsp);
    return { cluster, emitter, say: async (what) => emitter.emit("said", what) };
  }

  test("with events and binary data, everyone or in rooms", async (t) => {
    const { cluster, emitter, say } = await start(t);
    const [one, three] = cluster.firsts();
    emitter.emit("said", VALUE);
    emitter.emit("said", 1, Buffer.of(9));
    emitter.to(one).to(three).emit("said", 3);
    emitter.except([one, three]).emit("said", 4);
    emitter.to(three).emit("said", 5);
    const before = [[VALUE], [1, Buffer.of(9)]];
    await cluster.onlyThese(say, {
      "Node 1": [...before, [3]],
      "Node 2": [...before, [4]],
      "fanfare 1": [...before, [3], [5]],
      "fanfare 2": [...before, [4]],
    });
  });

  test("with a volatile event", async (t) => {
    const { cluster, emitter, say } = await start(t);
    emitter.volatile.emit("said", "now");
    await cluster.onlyThese(say, all([["now"]]));
  });

  test("in a namespace of its choice", async (t) => {
    const { cluster, emitter, say } = await start(t, "/chat");
    emitter.of("/").emit("said", "not here");
    emitter.of("/chat").emit("said", "here");
    await cluster.onlyThese(say, all([["here"]]));
  });

  test("and moves sockets into rooms and out of them", async (t) => {
    const { cluster, emitter, say } = await start(t);
    const [one, three] = cluster.firsts();
    emitter.socketsJoin(["a", "b"]);
    emitter.in([one, three]).socketsLeave("a");
    emitter.to("a").emit("said", "a");
    emitter.to("b").except("a").emit("said", "b");
    await cluster.onlyThese(say, {
      "Node 1": [["b"]],
      "Node 2": [["a"]],
      "fanfare 1": [["b"]],
      "fanfare 2": [["a"]],
    });
  });

  test("and disconnects those whom it names", async (t) => {
    const { cluster, emitter, say } = await start(t);
    emitter.in(cluster.firsts()).disconnectSockets();
    for (const client of [cluster.clients[0], cluster.clients[2]]) await client.loses();
    assert.deepEqual(await cluster.heard(say), { "Node 2": [], "fanfare 2": [] });
  });

  test("and tells all servers themselves something", async (t) => {
    const { cluster, emitter, say } = await start(t);
    emitter.serverSideEmit("told", VALUE);
    await Promise.all(cluster.clients.map((client) => client.until(() => `it; ${client}`, () => client.events.length > 0)));
    await cluster.onlyThese(say, all([[VALUE]]));
  });
});

// Tells everybody how many sockets there are on all nodes of a cluster, by the steps that Socket.IO's how-to "How to count
// the number of connected clients" gives for several servers: a total and a counter for each node in Redis, a key that says
// that a node is up and expires, and a cleaner that takes off what a node that is gone had counted. The steps are
// followed, the code is our own. `fanfare chaos` measures how soon the number is right again, docs/chaos.md.
//
//   node recipe.js --port 3001 --redis redis://127.0.0.1:6379 --cleaner one|each
//
// With `--cleaner one` the first node to take a lock cleans, and another one takes over when that lock expires; with `each`
// every node cleans by itself.
'use strict';

const { randomUUID } = require('node:crypto');
const { createServer } = require('node:http');
const { parseArgs } = require('node:util');
const { createAdapter } = require('@socket.io/redis-adapter');
const { createClient } = require('redis');
const { Server } = require('socket.io');

const { values: args } = parseArgs({
  options: {
    port: { type: 'string' },
    redis: { type: 'string' },
    cleaner: { type: 'string', default: 'one' },
  },
});
if (!args.port || !args.redis || !['one', 'each'].includes(args.cleaner)) {
  console.error('usage: node recipe.js --port PORT --redis URL [--cleaner one|each]');
  process.exit(2);
}

const node = randomUUID();
const TOTAL = 'count:total';
const CLEANER = 'count:cleaner';
const up = (id) => `count:up:${id}`;
const counter = (id) => `count:of:${id}`;
const UP_SECONDS = 10;
const EVERY_MS = 5_000;
const LOOK_MS = 1_000;

const client = createClient({ url: args.redis });
const publisher = client.duplicate();
const subscriber = client.duplicate();
// The clients come back by themselves; a command that fails meanwhile is lost, as in most programs that follow the steps.
for (const each of [client, publisher, subscriber]) each.on('error', (error) => console.error(error.message));
const attempt = (promise) => promise.catch((error) => console.error(error.message));
let isLeaving = false;
let told;

async function main() {
  await Promise.all([client, publisher, subscriber].map((each) => each.connect()));
  await client.set(up(node), '1', { expiration: { type: 'EX', value: UP_SECONDS } });

  const http = createServer();
  const io = new Server(http, { adapter: createAdapter(publisher, subscriber), serveClient: false });
  io.on('connection', (socket) => {
    attempt(add(io, 1));
    socket.on('disconnect', () => attempt(add(io, -1)));
  });
  const timers = [
    setInterval(() => attempt(client.expire(up(node), UP_SECONDS)), EVERY_MS),
    setInterval(() => attempt(clean()), EVERY_MS),
    setInterval(() => attempt(lookForChange(io)), LOOK_MS),
  ];
  process.once('SIGTERM', () => attempt(leave(io, timers)).then(() => process.exit(0)));
  http.listen(Number(args.port), '127.0.0.1');
}

// One comes or goes, and all sockets of all nodes are told.
async function add(io, change) {
  if (isLeaving) return;
  const [total] = await client.multi().incrBy(TOTAL, change).incrBy(counter(node), change).exec();
  io.emit('user count', Number(total));
}

// What others have changed, such as the cleaner, is told to the sockets of this node within a second.
async function lookForChange(io) {
  const total = Number((await client.get(TOTAL)) ?? 0);
  if (total !== told) io.local.emit('user count', total);
  told = total;
}

async function clean() {
  if (args.cleaner === 'one' && !(await isCleaner())) return;
  for await (const keys of client.scanIterator({ MATCH: counter('*'), COUNT: 100 })) {
    for (const key of keys) {
      const id = key.slice(counter('').length);
      if (await client.exists(up(id))) continue;
      const count = Number((await client.get(key)) ?? 0);
      await client.multi().decrBy(TOTAL, count).del(key).exec();
    }
  }
}

async function isCleaner() {
  const expiration = { type: 'EX', value: UP_SECONDS };
  if (await client.set(CLEANER, node, { condition: 'NX', expiration })) return true;
  if ((await client.get(CLEANER)) !== node) return false;
  return client.set(CLEANER, node, { expiration });
}

// A node that is stopped takes off what it has counted itself.
async function leave(io, timers) {
  isLeaving = true;
  timers.forEach(clearInterval);
  const count = Number((await client.get(counter(node))) ?? 0);
  await client.multi().decrBy(TOTAL, count).del([counter(node), up(node)]).exec();
  await io.close();
}

main();

// The floor of Node: `ws` alone, and of the protocols only what docs/bench.md needs, without polling and rooms.
// `node ws.js` answers what say.js does, `node ws.js lesson` counts as lesson.js does.
'use strict';

const { randomUUID } = require('node:crypto');
const { WebSocket, WebSocketServer } = require('ws');

const pingInterval = Number(process.env.PING_INTERVAL ?? 25_000);
const pingTimeout = 20_000;
const maxPayload = 1_000_000;

const port = Number(process.env.PORT ?? 3000);
const server = new WebSocketServer({ host: '127.0.0.1', port, path: '/socket.io/', maxPayload });
const joined = new Set();

const tells = {
  say: (client, said) => emit('say', ...said),
  burst: (client, [count, text]) => {
    for (let i = 0; i < count; i++) emit('say', i, text);
  },
  echo: (client, [text], id) => client.send(`43${id}${JSON.stringify([text])}`),
};
const isLesson = process.argv[2] === 'lesson';
const handlers = isLesson ? {} : tells;

server.on('connection', (client) => {
  client.unansweredSince = null;
  client.on('message', (data) => take(client, data.toString()));
  client.on('close', () => leave(client));
  // Who breaks off is closed by `ws`, and leaves then.
  client.on('error', () => {});
  const open = { sid: randomUUID(), upgrades: [], pingInterval, pingTimeout, maxPayload };
  client.send(`0${JSON.stringify(open)}`);
});

function take(client, packet) {
  if (packet.startsWith('42')) {
    const start = packet.indexOf('[');
    const [event, ...args] = JSON.parse(packet.slice(start));
    handlers[event]?.(client, args, packet.slice(2, start));
  } else if (packet === '3') {
    client.unansweredSince = null;
  } else if (packet.startsWith('40')) {
    client.send(`40${JSON.stringify({ sid: randomUUID() })}`);
    joined.add(client);
    if (isLesson) emit('user count', joined.size);
  } else if (packet.startsWith('41')) {
    leave(client);
  }
}

function leave(client) {
  if (joined.delete(client) && isLesson) emit('user count', joined.size);
}

// Encoded once; as a string each `send` would do it again.
function emit(...event) {
  const packet = Buffer.from(`42${JSON.stringify(event)}`);
  for (const client of joined) {
    if (client.readyState === WebSocket.OPEN) client.send(packet, { binary: false });
  }
}

// One timer for all, as in the README of `ws`.
setInterval(() => {
  const now = Date.now();
  for (const client of server.clients) {
    if (client.unansweredSince === null) {
      client.unansweredSince = now;
      client.send('2');
    } else if (pingTimeout < now - client.unansweredSince) {
      client.terminate();
    }
  }
}, pingInterval);

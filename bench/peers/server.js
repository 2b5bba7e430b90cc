'use strict';

const { createServer } = require('node:http');
const { Server } = require('socket.io');

const port = Number(process.env.PORT ?? 3000);
const hostname = '127.0.0.1';
const pingInterval = Number(process.env.PING_INTERVAL ?? 25_000);

exports.listen = () => (process.versions.bun ? listenOnBun() : listenOnNode());

// 256 clients join at once: with Node's own backlog of 511 none of them waits for a second SYN.
function listenOnNode() {
  const http = createServer();
  const io = new Server(http, { pingInterval, serveClient: false });
  http.listen(port, hostname);
  return io;
}

// Bun's own HTTP server and WebSocket, through the engine that Socket.IO's makers have for it.
function listenOnBun() {
  const { Server: Engine } = require('@socket.io/bun-engine');
  const io = new Server();
  const engine = new Engine({ path: '/socket.io/', pingInterval });
  io.bind(engine);
  // In seconds: what the engine makes of its default ping interval. Of one of a second it makes two, and Bun ends polls.
  const idleTimeout = 50;
  Bun.serve({ port, hostname, ...engine.handler(), idleTimeout });
  return io;
}

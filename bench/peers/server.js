'use strict';

const { createServer } = require('node:http');
const { Server } = require('socket.io');

// 256 clients join at once: with Node's own backlog of 511 none of them waits for a second SYN.
exports.listen = () => {
  const http = createServer();
  const pingInterval = Number(process.env.PING_INTERVAL ?? 25_000);
  const io = new Server(http, { pingInterval, serveClient: false });
  http.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
  return io;
};

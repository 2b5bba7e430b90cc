//! The lesson's step on Node, and its next one: count down when somebody disconnects.

import { fileURLToPath } from "node:url";
import { Server } from "socket.io";
import { offer, sources, urlOf } from "../lib/offer.mjs";

const http = await offer(await sources(fileURLToPath(import.meta.url)));
const io = new Server(http);

let currentUsers = 0;

io.on('connection', socket => {
  console.log('A user has connected');
  ++currentUsers;
  io.emit('user count', currentUsers);

  socket.on('disconnect', () => {
    --currentUsers;
    io.emit('user count', currentUsers);
  });
});

console.log(`listening on ${urlOf(http)}`);

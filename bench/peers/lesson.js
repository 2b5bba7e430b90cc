// The lesson on Node, with its next step: counting down again.
'use strict';

const io = require('./server.js').listen();

let currentUsers = 0;

io.on('connection', (socket) => {
  ++currentUsers;
  io.emit('user count', currentUsers);
  socket.on('disconnect', () => {
    --currentUsers;
    io.emit('user count', currentUsers);
  });
});

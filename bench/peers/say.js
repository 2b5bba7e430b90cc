// Everybody is told what anybody says.
'use strict';

const io = require('./server.js').listen();

io.on('connection', (socket) => {
  socket.on('say', (text) => io.emit('say', text));
  socket.on('burst', (count, text) => {
    for (let i = 0; i < count; i++) io.emit('say', i, text);
  });
});

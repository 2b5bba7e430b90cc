// Everybody is told what anybody says; and the bench's other events, docs/bench.md.
'use strict';

const io = require('./server.js').listen();

io.on('connection', (socket) => {
  socket.on('say', (...said) => io.emit('say', ...said));
  socket.on('burst', (count, text) => {
    for (let i = 0; i < count; i++) io.emit('say', i, text);
  });
  socket.on('echo', (text, answer) => answer(text));
  socket.on('join', (room, answer) => {
    socket.join(room);
    answer('joined');
  });
  socket.on('tell', (room, number, text) => io.to(room).emit('say', number, text));
});

/*global io*/
const note = document.getElementById('note');
const count = document.getElementById('count');

if (typeof io === 'undefined') {
  count.hidden = true;
  note.textContent = 'This server has no /socket.io/socket.io.js: the official client is not there yet. '
    + 'To fetch it and start again: cargo xtask serve --lesson';
} else {
  let socket = io();

  socket.on('user count', function(data) { console.log(data); });

  socket.on('user count', function(data) {
    count.textContent = data;
    count.className = '';
    document.title = data + ' · the lesson';
  });

  socket.on('disconnect', function() {
    count.className = 'last-known';
    document.title = 'reconnecting · the lesson';
  });
}

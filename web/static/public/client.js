// The page's end of the lesson, as the room runs it. What the page then shows is in the repository, under web/src.
import { io } from '/socket.io/socket.io.esm.min.js';

export const socket = io();

socket.on('user count', function(data) { console.log(data); });

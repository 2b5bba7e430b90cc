//! The reference, as `main.rs` is fanfare: the same setups, and in each the same handlers.
//!
//! It prints what the application is told, a line of JSON each, and then where each setup listens.

import { once } from "node:events";
import { createServer } from "node:http";
import { Server } from "socket.io";
import { urlOf } from "../../lib/offer.mjs";
import { register } from "./handlers.mjs";
import { listenTo, SETUPS } from "./setups.mjs";

const urls = {};
for (const [name, options] of Object.entries(SETUPS)) {
  const http = createServer((_, response) => response.writeHead(404).end()).listen(0, "127.0.0.1");
  await once(http, "listening");
  const io = new Server(http, options);
  listenTo(io.engine, name);
  register(io);
  urls[name] = urlOf(http);
}
console.log(JSON.stringify({ listening: urls }));

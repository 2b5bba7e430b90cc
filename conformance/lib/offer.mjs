//! An HTTP server that offers the files that the lesson's checks read.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

/** The lesson's end in the page. */
export const PAGE = `let socket = io();

socket.on('user count', function(data) { console.log(data); });
`;

/** A server at a port of its own that answers these paths with these texts, and all others with 404. */
export async function offer(texts = {}) {
  const server = createServer((request, response) => {
    const text = texts[request.url];
    response.writeHead(text === undefined ? 404 : 200, { "content-type": "text/plain; charset=utf-8" });
    response.end(text ?? "there is nothing here");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** What the lesson's checks read: a server's source, and the page's. */
export async function sources(serverFile) {
  return { "/_api/server.js": await readFile(serverFile, "utf8"), "/public/client.js": PAGE };
}

export function urlOf(server) {
  return `http://127.0.0.1:${server.address().port}`;
}

//! What pages in a browser are told: CORS, cookies, further headers, and the client's own files.

import { exchange } from "../exchange.mjs";

const FRIEND = { origin: "http://friend.example" };
const STRANGER = { origin: "http://stranger.example" };
const PREFLIGHT = { "access-control-request-method": "POST", "access-control-request-headers": "content-type,x-own" };

/** Everything that a session is answered on polling. */
async function all(x, options) {
  const ann = await x.polling(options);
  await ann.post("40", options);
  await ann.poll(options);
}

/** The client's files. */
export const FILES = [
  "socket.io.js",
  "socket.io.min.js",
  "socket.io.js.map",
  "socket.io.msgpack.min.js",
  "socket.io.esm.min.js",
  "socket.io.esm.min.js.map",
];

export const PAGES = [
  exchange("listed", "a page that is listed", (x) => all(x, { headers: FRIEND })),
  exchange("listed", "a page of no origin", (x) => all(x)),
  exchange("listed", "a page that is not listed", (x) => x.polling({ headers: STRANGER })),
  exchange("listed", "a preflight of a page that is listed", (x) =>
    x.ask("OPTIONS", "EIO=4&transport=polling", { headers: { ...FRIEND, ...PREFLIGHT } }),
  ),
  exchange("listed", "a preflight of a page that is not listed", (x) =>
    x.ask("OPTIONS", "EIO=4&transport=polling", { headers: { ...STRANGER, ...PREFLIGHT } }),
  ),
  exchange("listed", "a page that is listed is told why it is refused", (x) =>
    x.ask("GET", "EIO=4&transport=tube", { headers: FRIEND }),
  ),
  exchange("listed", "a page that is listed opens a WebSocket", async (x) => {
    const ann = await x.websocket({ headers: FRIEND });
    await ann.hears();
  }),
  exchange("listed", "a page that is not listed opens a WebSocket", (x) => x.websocket({ headers: STRANGER })),
  exchange("open", "any page", (x) => all(x, { headers: STRANGER })),
  exchange("open", "a preflight of any page", (x) =>
    x.ask("OPTIONS", "EIO=4&transport=polling", { headers: { ...STRANGER, ...PREFLIGHT } }),
  ),
  exchange("open", "a preflight that asks for little", (x) =>
    x.ask("OPTIONS", "EIO=4&transport=polling", { headers: { ...STRANGER, "access-control-request-method": "POST" } }),
  ),
  exchange("open", "any page opens a WebSocket", async (x) => {
    const ann = await x.websocket({ headers: STRANGER });
    await ann.hears();
  }),
  exchange("open", "any page is told why it is refused", (x) => x.ask("GET", "EIO=4", { headers: STRANGER })),
  exchange("plain", "a foreign page polls", (x) => x.polling({ headers: STRANGER })),
  exchange("plain", "a foreign page opens a WebSocket", (x) => x.websocket({ headers: STRANGER })),
  exchange("guarded", "a cookie and headers of the application's", (x) => all(x, { query: "&key=1" })),
  exchange("guarded", "who is refused gets no headers of the application's", (x) => x.ask("GET", "EIO=4&transport=polling")),
  ...FILES.map((file) => exchange("bundle", `the client's file ${file}`, (x) => x.ask("GET", `/socket.io/${file}`))),
  exchange("bundle", "a client's file that the browser has", async (x) => {
    const { headers } = await x.ask("GET", "/socket.io/socket.io.js");
    await x.ask("GET", "/socket.io/socket.io.js", { headers: { "if-none-match": headers.etag } });
    await x.ask("GET", "/socket.io/socket.io.js", { headers: { "if-none-match": `W/${headers.etag}` } });
    await x.ask("GET", "/socket.io/socket.io.js", { headers: { "if-none-match": '"another"' } });
  }),
  exchange("bundle", "a client's file is compressed", (x) =>
    x.ask("GET", "/socket.io/socket.io.min.js", { headers: { "accept-encoding": "gzip" } }),
  ),
  exchange("bundle", "a file that is not the client's", (x) => x.ask("GET", "/socket.io/other.js")),
  exchange("plain", "a client's file where there are none", (x) => x.ask("GET", "/socket.io/socket.io.js")),
  exchange("bundle", "a session where there are files", (x) => all(x)),
];

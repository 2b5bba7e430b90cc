//! How a session opens, and who is refused: codes 0 to 5, as a plain request and as one for a WebSocket.

import { exchange } from "../exchange.mjs";
import { ASKING } from "../peer.mjs";

/** Requests that are refused: their code, why, and what is asked. */
const REFUSED = [
  [0, "no transport", "plain", "GET", "EIO=4"],
  [0, "an unknown transport", "plain", "GET", "EIO=4&transport=tube"],
  [0, "a transport that has no query", "plain", "GET", "EIO=4&transport=webtransport"],
  [0, "nothing at all", "plain", "GET", ""],
  [0, "polling where there is none", "websocket", "GET", "EIO=4&transport=polling"],
  [1, "an unknown session", "plain", "GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA"],
  [1, "a post to an unknown session", "plain", "POST", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA"],
  [2, "POST", "plain", "POST", "EIO=4&transport=polling"],
  [2, "PUT", "plain", "PUT", "EIO=4&transport=polling"],
  [2, "DELETE", "plain", "DELETE", "EIO=4&transport=polling"],
  [2, "HEAD", "plain", "HEAD", "EIO=4&transport=polling"],
  [2, "OPTIONS without CORS", "plain", "OPTIONS", "EIO=4&transport=polling"],
  [3, "a WebSocket by a plain request", "plain", "GET", "EIO=4&transport=websocket"],
  [4, "a request that the application forbids", "guarded", "GET", "EIO=4&transport=polling"],
  [5, "protocol 3", "plain", "GET", "EIO=3&transport=polling"],
  [5, "no protocol", "plain", "GET", "transport=polling"],
  [5, "a protocol to come", "plain", "GET", "EIO=5&transport=polling"],
];

/** The same for requests that ask for a WebSocket. */
const NO_WEBSOCKET = [
  [0, "an unknown transport", "plain", "EIO=4&transport=tube"],
  [0, "no transport", "plain", "EIO=4"],
  [0, "polling alone", "polling", "EIO=4&transport=websocket"],
  [1, "an unknown session", "plain", "EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA"],
  [4, "a request that the application forbids", "guarded", "EIO=4&transport=websocket"],
];

/** Offers that are no WebSocket's. */
const MALFORMED = {
  "no key": { "sec-websocket-key": "" },
  "a key that is too short": { "sec-websocket-key": "c2hvcnQ=" },
  "an old version": { "sec-websocket-version": "7" },
};

export const HANDSHAKES = [
  ...REFUSED.map(([code, why, setup, method, query]) =>
    exchange(setup, `code ${code}: ${why}`, async (x) => {
      await x.ask(method, query);
      await x.toldWhy();
    }),
  ),
  ...NO_WEBSOCKET.map(([code, why, setup, query]) =>
    exchange(setup, `code ${code} for a WebSocket: ${why}`, async (x) => {
      await x.ask("GET", query, { headers: ASKING });
      await x.toldWhy();
    }),
  ),
  exchange("plain", "code 5 for a WebSocket: protocol 3", async (x) => {
    const peer = await x.websocket({ eio: 3 });
    await x.toldWhy();
    if (peer) await peer.ends();
  }),
  ...Object.entries(MALFORMED).map(([what, headers]) =>
    exchange("plain", `a WebSocket with ${what}`, async (x) => {
      await x.ask("GET", "EIO=4&transport=websocket", { headers: { ...ASKING, ...headers } });
    }),
  ),
  exchange("plain", "a WebSocket by POST", async (x) => {
    await x.ask("POST", "EIO=4&transport=websocket", { headers: ASKING });
    await x.toldWhy();
  }),
  exchange("plain", "code 3: a session of another transport", async (x) => {
    const ann = await x.polling();
    await x.ask("GET", `EIO=4&transport=websocket&sid=${ann.sid}`);
    await x.toldWhy();
    await ann.post("40");
  }),
  exchange("older", "code 3: a session of another protocol", async (x) => {
    const ann = await x.polling();
    await x.ask("GET", `EIO=3&transport=polling&sid=${ann.sid}`);
    await x.toldWhy();
    await ann.post("40");
  }),
  exchange("plain", "the open packet on polling", (x) => x.polling()),
  exchange("plain", "the open packet on a WebSocket", async (x) => {
    const ann = await x.websocket();
    await ann.hears();
  }),
  exchange("narrow", "the open packet tells another limit", (x) => x.polling()),
  exchange("hasty", "the open packet tells other times", (x) => x.polling()),
  exchange("polling", "the open packet where there is only polling", (x) => x.polling()),
  exchange("websocket", "the open packet where there are only WebSockets", async (x) => {
    const ann = await x.websocket();
    await ann.hears();
  }),
  exchange("odd", "a greeting comes with the open packet", (x) => x.polling()),
  exchange("odd", "a greeting comes after the open packet", async (x) => {
    const ann = await x.websocket();
    await ann.hears(2);
  }),
  exchange("odd", "the path without its slash", (x) => x.ask("GET", "/socket.io?EIO=4&transport=polling")),
  exchange("plain", "the path without its slash is not the server's", (x) => x.ask("GET", "/socket.io?EIO=4&transport=polling")),
  exchange("plain", "more behind the path", (x) => x.ask("GET", "/socket.io/more?EIO=4&transport=polling")),
  exchange("plain", "an empty session id is none", (x) => x.ask("GET", "EIO=4&transport=polling&sid=")),
  exchange("plain", "the last of two transports counts", (x) => x.ask("GET", "EIO=4&transport=tube&transport=polling")),
  exchange("plain", "a transport with an escape", (x) => x.ask("GET", "EIO=4&transport=poll%69ng")),
  exchange("guarded", "the application lets one in", async (x) => {
    const ann = await x.polling({ query: "&key=1" });
    await ann.post("40");
    await ann.poll();
  }),
  exchange("guarded", "the application lets a WebSocket in", async (x) => {
    const ann = await x.websocket({ query: "&key=1" });
    await ann.hears();
  }),
];

//! The setups: those of `setups.rs`, by the same names and in the same order.

import { saw } from "./saw.mjs";

const PLAIN = { serveClient: false };

/** Each setup's options. */
export const SETUPS = {
  plain: PLAIN,
  narrow: { ...PLAIN, maxHttpBufferSize: 100 },
  hasty: { ...PLAIN, pingInterval: 1_000, pingTimeout: 1_500, upgradeTimeout: 1_000, allowEIO3: true },
  impatient: { ...PLAIN, connectTimeout: 1_000 },
  older: { ...PLAIN, allowEIO3: true },
  listed: {
    ...PLAIN,
    cors: { origin: ["http://friend.example"], exposedHeaders: ["x-more"], credentials: true, maxAge: 60 },
  },
  open: { ...PLAIN, cors: { origin: "*" } },
  guarded: {
    ...PLAIN,
    allowRequest: (request, answer) => (query(request, "key") ? answer(null, true) : answer("no key", false)),
    cookie: true,
  },
  remembering: { ...PLAIN, connectionStateRecovery: {} },
  polling: { ...PLAIN, transports: ["polling"] },
  websocket: { ...PLAIN, transports: ["websocket"] },
  odd: { ...PLAIN, allowUpgrades: false, addTrailingSlash: false, initialPacket: "hello" },
  bundle: { serveClient: true, cors: { origin: "*" } },
};

/** What is no option but an event of the engine's. */
export function listenTo(engine, setup) {
  engine.on("connection_error", ({ req, code, message, context }) => {
    saw(`${query(req, "tag")} refused`, ["connection_error", code, context.message ?? message]);
  });
  if (setup !== "guarded") return;
  engine.on("initial_headers", (headers) => (headers["x-first"] = "yes"));
  engine.on("headers", (headers) => (headers["x-every"] = "yes"));
}

function query(request, name) {
  return new URL(request.url, "http://host").searchParams.get(name);
}

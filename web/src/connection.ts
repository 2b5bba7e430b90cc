import type { Socket } from "socket.io-client";
import { hush, keepSaying, notify } from "./notices.js";
import { byId } from "./page.js";
import type { Users } from "./wire.js";

/** A connection that comes back sooner is not worth a notice. */
const MOMENT_MS = 1_500;

const state = byId("state");
const refused = byId("refused");
const refusedWhy = byId("refused-why");

export type ServerNow = "as before" | "restarted";

type Lamp = "waiting" | "connected" | "refused";

let moment: ReturnType<typeof setTimeout> | undefined;
let server: string | undefined;

function show(lamp: Lamp, text: string): void {
  document.body.dataset["connection"] = lamp;
  state.textContent = text;
  refused.hidden = lamp !== "refused";
  if (lamp !== "waiting") noticeLoss(undefined);
}

/** Shows transport and state, and why the server said no if it did. */
export function showConnection(socket: Socket): void {
  const manager = socket.io;
  let transports = "";

  manager.on("open", () => {
    transports = manager.engine.transport.name;
    manager.engine.on("upgrade", (transport) => {
      transports += ` → ${transport.name}`;
      if (socket.connected) show("connected", `connected · ${transports}`);
    });
  });
  manager.on("reconnect_attempt", (attempt) => {
    show("waiting", attempt === 1 ? "reconnecting" : `reconnecting · attempt ${attempt}`);
  });
  socket.on("connect", () => show("connected", `connected · ${transports}`));
  socket.on("disconnect", (reason) => {
    // When the server asked it to go, the client does not come back by itself.
    if (reason === "io server disconnect") {
      refuse("You have been signed out, or the server asked this page to leave.");
    } else {
      show("waiting", "reconnecting");
      noticeLoss("The connection is lost. This page comes back by itself.");
    }
  });
  socket.on("connect_error", (error) => {
    // Active: the transport failed and the client tries again by itself. Otherwise the server's answer was no.
    if (!socket.active) refuse(error.message);
  });
  byId("try-again").addEventListener("click", () => {
    show("waiting", "connecting");
    socket.connect();
  });

  function refuse(why: string): void {
    show("refused", "not connected");
    refusedWhy.textContent = why;
  }
}

/** Which server answers, and says so if it is not the one that answered before. */
export function noteServer({ server: now }: Users): ServerNow {
  const which = server === undefined || server === now ? "as before" : "restarted";
  server = now;
  if (which === "restarted") notify("The server was restarted. You are back.");
  return which;
}

function noticeLoss(text: string | undefined): void {
  if (text === undefined) {
    if (moment !== undefined) hush();
    clearTimeout(moment);
    moment = undefined;
  } else {
    moment ??= setTimeout(() => keepSaying(text), MOMENT_MS);
  }
}

/** Calls back with the text of each Engine.IO packet that carries a message, over whichever transport it came. */
export function onFrame(socket: Socket, callback: (text: string) => void): void {
  const manager = socket.io;
  manager.on("open", () => {
    manager.engine.on("packet", ({ type, data }) => {
      if (type === "message" && typeof data === "string") callback(`4${data}`);
    });
  });
}

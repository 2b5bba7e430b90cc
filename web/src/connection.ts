import type { Socket } from "socket.io-client";
import { byId } from "./page.js";

const state = byId("state");
const refused = byId("refused");
const refusedWhy = byId("refused-why");

type Lamp = "waiting" | "connected" | "refused";

function show(lamp: Lamp, text: string): void {
  document.body.dataset["connection"] = lamp;
  state.textContent = text;
  refused.hidden = lamp !== "refused";
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
    if (reason === "io server disconnect") refuse("You have been signed out, or the server asked this page to leave.");
    else show("waiting", "reconnecting");
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

/** Calls back with the text of each Engine.IO packet that carries a message, over whichever transport it came. */
export function onFrame(socket: Socket, callback: (text: string) => void): void {
  const manager = socket.io;
  manager.on("open", () => {
    manager.engine.on("packet", ({ type, data }) => {
      if (type === "message" && typeof data === "string") callback(`4${data}`);
    });
  });
}

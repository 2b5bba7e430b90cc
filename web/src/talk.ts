import type { Socket } from "socket.io-client";
import { byId, make } from "./page.js";
import type { FromServer, Message, Person, ToServer } from "./wire.js";

/** Lines kept in the page; older ones go. */
const KEPT = 300;
const ANSWER_WITHIN_MS = 5_000;
const NEAR_END_PX = 48;

const log = byId("log");
const form = byId<HTMLFormElement>("say");
const box = byId<HTMLTextAreaElement>("message");
const wrong = byId("say-wrong");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** Whether the reader is at the newest line, and so follows what comes. */
let isAtEnd = true;
log.addEventListener("scroll", () => {
  isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
});
// The form below grows and shrinks with what is written in it.
new ResizeObserver(() => {
  if (isAtEnd) toEnd();
}).observe(log);

export function showMessage({ name, message, at }: Message): void {
  const line = make("div", "message", "");
  const time = make("time", "at", clock.format(at)) as HTMLTimeElement;
  time.dateTime = new Date(at).toISOString();
  line.append(make("span", "name", name), time, make("p", "text", message));
  append(line);
}

export function showComing({ name, connected }: Person): void {
  append(make("div", "coming", `${name} ${connected ? "joined" : "left"}`));
}

/** Sends what is written in the form, and says there what was wrong with it. */
export function sendFrom(socket: Socket<FromServer, ToServer>): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (box.readOnly) return;
    if (!socket.connected) {
      say("There is no connection now. Your message stays here: send it when the page is back.");
      return;
    }
    box.readOnly = true;
    socket.timeout(ANSWER_WITHIN_MS).emit("chat message", box.value, (late, reply) => {
      box.readOnly = false;
      if (late) {
        say("The server has not answered. Your message may or may not have reached the others.");
      } else if ("error" in reply) {
        say(reply.error);
      } else {
        box.value = "";
        say("");
      }
    });
  });

  box.addEventListener("input", () => say(""));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
}

function say(what: string): void {
  wrong.textContent = what;
  box.setAttribute("aria-invalid", String(what !== ""));
}

function append(line: HTMLElement): void {
  log.append(line);
  while (log.childElementCount > KEPT) log.firstElementChild?.remove();
  if (isAtEnd) toEnd();
}

function toEnd(): void {
  log.scrollTop = log.scrollHeight;
}

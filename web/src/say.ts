import { ANSWER_WITHIN_MS, type Room, byId } from "./page.js";
import { stopTyping } from "./typing.js";
import type { PersonId } from "./wire.js";
import { you } from "./you.js";

const AGAIN_AFTER_MS = 2_000;
const KEY_BYTES = 16;

/**
 * What was written, from the moment when it was to be sent until the server has answered.
 *
 * The server knows it by its key: however often it is sent, it is said once.
 */
interface Sending {
  readonly text: string;
  readonly key: string;
  /** Who wrote it: another who signs in here meanwhile does not say it. */
  readonly by: PersonId | undefined;
}

const form = byId<HTMLFormElement>("say");
const box = byId<HTMLTextAreaElement>("message");
const wrong = byId("say-wrong");

let sending: Sending | undefined;

/** Sends what is written in the form, again after each loss, and says there what is wrong with it. */
export function sendFrom(room: Room): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (sending !== undefined) return;
    sending = { text: box.value, key: newKey(), by: you?.id };
    stopTyping();
    if (room.connected) void send(sending);
    else say("There is no connection now. Your message stays here, and is sent when the page is back.");
  });
  room.on("users", (users) => {
    if (sending?.by === users.you.id) void send(sending);
    else if (sending !== undefined) settle();
  });
  box.addEventListener("input", () => {
    // What may have reached the server is read-only. What has not is another message now.
    settle();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });

  async function send(what: Sending): Promise<void> {
    box.readOnly = true;
    const reply = await room.timeout(ANSWER_WITHIN_MS).emitWithAck("chat message", what.text, what.key).catch(() => undefined);
    if (sending !== what) return;
    if (reply === undefined && !room.connected) {
      say("The connection was lost. Your message is sent again when the page is back, and arrives once.");
    } else if (reply === undefined) {
      say("The server has not answered yet. Your message is sent again, and arrives once.");
      void send(what);
    } else if (!("error" in reply)) {
      settle();
      box.value = "";
    } else if (reply.retry) {
      box.readOnly = false;
      say(reply.error);
      setTimeout(() => {
        // A connection that has come back meanwhile has sent it already.
        if (sending === what && room.connected) void send(what);
      }, AGAIN_AFTER_MS);
    } else {
      settle();
      say(reply.error);
    }
  }
}

/** The text is nothing but what stands in the form. */
function settle(): void {
  sending = undefined;
  box.readOnly = false;
  say("");
}

function say(what: string): void {
  wrong.textContent = what;
  box.ariaInvalid = String(what !== "");
}

/** Not `crypto.randomUUID`, which a page has only over HTTPS and on the computer itself. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(KEY_BYTES)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

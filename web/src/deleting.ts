import { notify } from "./notices.js";
import { ANSWER_WITHIN_MS, type Room, byId, make } from "./page.js";
import type { Message } from "./wire.js";

const LABEL_CHARACTERS = 60;

const log = byId("log");
const buttons = log.getElementsByClassName("delete") as HTMLCollectionOf<HTMLButtonElement>;

/** The one button that the tab key reaches: hundreds would stand between the log and the form. */
let reachable: HTMLButtonElement | undefined;

export function deleteButton({ id, message }: Message, time: string): HTMLButtonElement {
  const button = make("button", "delete", "Delete");
  button.type = "button";
  button.tabIndex = -1;
  button.value = String(id);
  button.ariaLabel = `Delete your message of ${time}: ${message.slice(0, LABEL_CHARACTERS)}`;
  return button;
}

/** Lets the tab key reach the button of the newest message, unless it is at another. */
export function offerNewest(): void {
  if (reachable?.isConnected && reachable === document.activeElement) return;
  offer(buttons[buttons.length - 1]);
}

/** Deletes messages when their buttons say so, and calls back with each that is gone. */
export function deleteFrom(room: Room, gone: (id: number) => void): void {
  log.addEventListener("click", ({ target }) => {
    if (target instanceof HTMLButtonElement && target.classList.contains("delete")) void remove(target);
  });
  log.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const at = [...buttons].indexOf(event.target as HTMLButtonElement);
    if (step === undefined || at === -1) return;
    event.preventDefault();
    focus(buttons[at + step]);
  });

  async function remove(button: HTMLButtonElement): Promise<void> {
    if (!room.connected) {
      notify("There is no connection now. The message is still there.");
      return;
    }
    const id = Number(button.value);
    const hadFocus = button === document.activeElement;
    const at = [...buttons].indexOf(button);
    const reply = await room.timeout(ANSWER_WITHIN_MS).emitWithAck("delete message", id).catch(() => undefined);
    if (reply === undefined) {
      notify("The server has not answered. The message may or may not be deleted.");
    } else if ("error" in reply) {
      notify(reply.error);
    } else {
      gone(id);
      notify("Your message is deleted.");
      // The focus went with the button.
      if (hadFocus) focus(buttons[Math.min(at, buttons.length - 1)] ?? log);
    }
  }
}

function focus(element: HTMLElement | undefined): void {
  if (element instanceof HTMLButtonElement) offer(element);
  element?.focus();
}

function offer(button: HTMLButtonElement | undefined): void {
  if (button === reachable) return;
  if (reachable !== undefined) reachable.tabIndex = -1;
  reachable = button;
  if (reachable !== undefined) reachable.tabIndex = 0;
}

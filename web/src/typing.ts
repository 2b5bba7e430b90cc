import { type Room, byId, grouped, listed } from "./page.js";
import type { Typing } from "./wire.js";
import { isYou } from "./you.js";

/** The server forgets somebody who has not said so for 5 s. */
const TOLD_EVERY_MS = 2_000;
const NAMED = 3;

const box = byId<HTMLTextAreaElement>("message");
const shown = byId("typing");

let room: Room;
/** When the others were last told that one is typing here, unless they were told of the end. */
let toldAt: number | undefined;

/** Tells the others of what happens in the form. */
export function tellTyping(socket: Room): void {
  room = socket;
  box.addEventListener("input", () => {
    if (box.value === "") {
      stopTyping();
    } else if (toldAt === undefined || Date.now() - toldAt > TOLD_EVERY_MS) {
      toldAt = Date.now();
      room.volatile.emit("typing", true);
    }
  });
  box.addEventListener("blur", stopTyping);
  room.on("disconnect", () => {
    toldAt = undefined;
    shown.textContent = "";
  });
}

export function stopTyping(): void {
  if (toldAt === undefined) return;
  toldAt = undefined;
  room.volatile.emit("typing", false);
}

/** Says who else is typing. */
export function showTyping({ people, total }: Typing): void {
  const others = people.filter(({ id }) => !isYou(id));
  const isNamed = others.length < people.length;
  // Oneself may be among those that are counted and not named.
  const count = total - (isNamed || (total > people.length && toldAt !== undefined) ? 1 : 0);
  const names = others.slice(0, NAMED).map(({ name }) => name);
  shown.textContent = sentence(names, count - names.length);
}

function sentence(names: string[], more: number): string {
  const all = more > 0 ? [...names, `${grouped.format(more)} more`] : names;
  if (all.length === 0) return "";
  return `${listed(all)} ${all.length === 1 && more <= 1 ? "is" : "are"} typing`;
}

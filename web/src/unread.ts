/** What the reader has not seen yet: below what is in view, or since the page went out of sight. */

import { type Line, allLines, lineAfter } from "./lines.js";
import { divideBefore, removeDivider } from "./log.js";
import { byId, counted } from "./page.js";
import { isAtEnd, lowerEdge, onMove, stopAt, toEnd } from "./place.js";
import { titleUnread } from "./title.js";
import { isYou } from "./you.js";

const button = byId("newest");

/** The newest message that has been seen; undefined while nobody has asked. */
let seen: number | undefined;
/** Whether the divider stands, or is not to. */
let isDivided = true;

button.addEventListener("click", () => {
  stopAt(undefined);
  toEnd();
  // The button goes, and must not take the focus with it.
  byId("log").focus({ preventScroll: true });
});
document.addEventListener("visibilitychange", () => {
  if (isHidden()) {
    removeDivider();
    isDivided = false;
  }
  stopAt(undefined);
  look();
});
onMove(look);

/** Shows what is unread from now on; all that the log has now is read. */
export function showUnread(): void {
  seen = newest();
  look();
}

/** Counts what has come. */
export function noteArrivals(): void {
  if (isHidden() && !isDivided) divide();
  look();
}

function divide(): void {
  const first = unread()[0];
  if (first === undefined) return;
  isDivided = true;
  const followed = isAtEnd();
  stopAt(divideBefore(first));
  if (followed) toEnd();
}

function look(): void {
  if (seen === undefined) return;
  if (!isHidden()) seen = Math.max(seen, newestInView());
  const count = unread().length;
  titleUnread(isHidden() ? count : 0);
  button.hidden = isAtEnd();
  button.textContent = count === 0 ? "Newest messages" : counted(count, "new message", "new messages");
}

function unread(): Line[] {
  const lines = allLines();
  const next = seen === undefined ? undefined : lineAfter(seen);
  return next === undefined ? [] : lines.slice(lines.indexOf(next)).filter(({ message }) => !isYou(message.by));
}

function newestInView(): number {
  if (isAtEnd()) return newest();
  const edge = lowerEdge();
  const lines = allLines();
  let [from, to] = [0, lines.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const { offsetTop, offsetHeight } = (lines[middle] as Line).element;
    if (offsetTop + offsetHeight > edge) to = middle;
    else from = middle + 1;
  }
  return lines[from - 1]?.message.id ?? 0;
}

function newest(): number {
  return allLines().at(-1)?.message.id ?? 0;
}

function isHidden(): boolean {
  return document.visibilityState === "hidden";
}

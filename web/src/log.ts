import { deleteButton, offerNewest } from "./deleting.js";
import { type Line, allLines, insertLine, lineAfter, lineBefore, lineOf, removeLine } from "./lines.js";
import { byId, make } from "./page.js";
import { isAtEnd, keepPlace } from "./place.js";
import type { Message } from "./wire.js";
import { isYou } from "./you.js";

/** Children of the log while the reader follows it. What goes at its beginning can be asked for again. */
const KEPT = 600;
/** Children of the log whatever the reader does. */
const MOST = 5_000;
const GROUPED_WITHIN_MS = 5 * 60_000;

const log = byId("log");
const divider = make("div", "new", "new");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long", year: "numeric" });

let trimmed = (): void => {};

/** Calls back when messages at the beginning of the log had to go. */
export function onTrim(callback: () => void): void {
  trimmed = callback;
}

/** Shows messages, each at its place and once. */
export function showMessages(messages: Message[]): void {
  keepPlace(() => {
    for (const message of messages) {
      if (lineOf(message.id) === undefined) show(message);
    }
  });
  trim();
  offerNewest();
}

/** Deleted messages vanish. */
export function hideMessages(ids: number[]): void {
  const gone = ids.flatMap((id) => lineOf(id) ?? []);
  if (gone.length === 0) return;
  keepPlace(() => gone.forEach(drop));
  offerNewest();
}

/** Lets those messages be deleted that are one's own, as far as is known now. */
export function showOwn(): void {
  allLines().forEach(adaptOwner);
  offerNewest();
}

/** Says at the end of the log what is no message. */
export function showEvent(element: HTMLElement): void {
  keepPlace(() => log.append(element));
  trim();
}

export function clearLog(): void {
  keepPlace(() => {
    for (const line of [...allLines()]) removeLine(line);
    log.replaceChildren();
  });
}

/** Puts the divider before this line. */
export function divideBefore(line: Line): HTMLElement {
  keepPlace(() => {
    (line.day ?? line.element).before(divider);
    adapt(line);
  });
  return divider;
}

export function removeDivider(): void {
  const next = divider.nextElementSibling;
  if (!divider.isConnected) return;
  keepPlace(() => {
    divider.remove();
    const line = lineOf(Number((next as HTMLElement | null)?.dataset["id"]));
    if (line !== undefined) adapt(line);
  });
}

/** Whether the log may grow at its beginning. */
export function hasSpace(): boolean {
  return log.childElementCount < MOST - KEPT;
}

function show(message: Message): void {
  const element = make("div", "message", "");
  element.dataset["id"] = String(message.id);
  const time = make("time", "at", clock.format(message.at));
  time.dateTime = new Date(message.at).toISOString();
  element.append(make("span", "name", message.name), time, make("p", "text", message.message));
  const next = lineAfter(message.id);
  if (next === undefined) log.append(element);
  else (next.day ?? next.element).before(element);
  const line: Line = { message, element };
  insertLine(line);
  adapt(line);
  adaptOwner(line);
  if (next !== undefined) adapt(next);
}

function drop(line: Line): void {
  const next = lineAfter(line.message.id);
  removeLine(line);
  line.day?.remove();
  line.element.remove();
  if (next !== undefined) adapt(next);
  else if (divider === log.lastElementChild) divider.remove();
}

/** Says before a line what the one before it does not say already: the day, and who writes. */
function adapt(line: Line): void {
  const { message, element } = line;
  const before = lineBefore(message.id);
  const day = calendar.format(message.at);
  if (before !== undefined && calendar.format(before.message.at) === day) {
    line.day?.remove();
    line.day = undefined;
  } else if (line.day === undefined) {
    line.day = make("p", "day", day);
    element.before(line.day);
  }
  const goesOn =
    before !== undefined &&
    element.previousElementSibling === before.element &&
    message.by !== null &&
    message.by === before.message.by &&
    before.message.name === message.name &&
    message.at - before.message.at < GROUPED_WITHIN_MS;
  element.classList.toggle("again", goesOn);
}

function adaptOwner({ message, element }: Line): void {
  const isOwn = isYou(message.by);
  if (isOwn === element.classList.contains("own")) return;
  element.classList.toggle("own", isOwn);
  if (isOwn) element.append(deleteButton(message, clock.format(message.at)));
  else element.querySelector(".delete")?.remove();
}

function trim(): void {
  const kept = isAtEnd() ? KEPT : MOST;
  let excess = log.childElementCount - kept;
  if (excess <= 0) return;
  keepPlace(() => {
    for (; excess > 0; excess -= 1) {
      const oldest = log.firstElementChild as HTMLElement;
      const line = lineOf(Number(oldest.dataset["id"]));
      if (line === undefined) oldest.remove();
      else drop(line);
    }
  });
  trimmed();
}

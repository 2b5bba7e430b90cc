import type { ServerNow } from "./connection.js";
import { showEvent } from "./log.js";
import { byId, counted, listed, make } from "./page.js";
import { keepPlace } from "./place.js";
import type { Change } from "./wire.js";
import { isYou } from "./you.js";

/** After a restart of the server everyone comes back, which is no news. */
const RETURN_MS = 15_000;
const NAMED = 3;

const log = byId("log");

/** The last line, to which others may be added. */
let last: { element: HTMLElement; connected: boolean; names: string[]; unnamed: number } | undefined;
/** From when on comings are news again; they never are before `users` has told who is here. */
let newsFrom = Infinity;

export function ignoreComings(): void {
  newsFrom = Infinity;
}

export function expectComings(server: ServerNow): void {
  newsFrom = server === "restarted" ? Date.now() + RETURN_MS : 0;
}

/** Says that somebody came or left: in the last line of the log, if that says so of others. */
export function showComing({ id, name, connected }: Change): void {
  if (isYou(id) || newsFrom === Infinity || (connected && Date.now() < newsFrom)) return;
  if (last === undefined || last.connected !== connected || last.element !== log.lastElementChild) {
    last = { element: make("p", "coming", ""), connected, names: [], unnamed: 0 };
    showEvent(last.element);
  }
  if (last.names.length < NAMED) last.names.push(name);
  else last.unnamed += 1;
  const { element, names, unnamed } = last;
  const who = unnamed === 0 ? names : [...names, counted(unnamed, "other", "others")];
  keepPlace(() => (element.textContent = `${listed(who)} ${connected ? "joined" : "left"}`));
}

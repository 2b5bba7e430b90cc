import type { Socket } from "socket.io-client";
import type { FromServer, ToServer } from "./wire.js";

export type Room = Socket<FromServer, ToServer>;

/** More than any answer takes while the connection is what it seems. */
export const ANSWER_WITHIN_MS = 5_000;

/** The element that chat.html has under this id. */
export function byId<E extends Element = HTMLElement>(id: string): E {
  const element: Element | null = document.getElementById(id);
  if (element === null) throw new Error(`chat.html has no #${id}`);
  return element as E;
}

/** A new element. What people wrote gets into the page here and only here: as text. */
export function make<T extends keyof HTMLElementTagNameMap>(tag: T, className: string, text: string): HTMLElementTagNameMap[T] {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export const grouped = new Intl.NumberFormat("en");

/** `1 page`, `2 pages`. */
export function counted(count: number, one: string, many: string): string {
  return `${grouped.format(count)} ${count === 1 ? one : many}`;
}

/** `Ann`, `Ann and Ben`, `Ann, Ben and 3 others`. */
export function listed(items: string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

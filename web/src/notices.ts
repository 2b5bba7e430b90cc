import { byId } from "./page.js";

const SHOWN_MS = 6_000;

const notice = byId("notice");
let timer: ReturnType<typeof setTimeout> | undefined;

/** Says something over the page, for a while. */
export function notify(text: string): void {
  keepSaying(text);
  timer = setTimeout(hush, SHOWN_MS);
}

/** Says something until it is taken back, or something else is said. */
export function keepSaying(text: string): void {
  clearTimeout(timer);
  notice.textContent = text;
}

export function hush(): void {
  clearTimeout(timer);
  notice.textContent = "";
}

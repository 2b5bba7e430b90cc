/** Where the reader is in the log: at its end, and then follows it, or further up, and then stays there. */

import { byId } from "./page.js";

const NEAR_END_PX = 48;
/** Of those that are in view one may be deleted by the very change that the place has to survive. */
const ANCHORS = 5;

const log = byId("log");

let follows = true;
let lastTop = 0;
/** Stays in view when the log grows. */
let stop: HTMLElement | undefined;
const watchers: (() => void)[] = [];

log.addEventListener("scroll", moved, { passive: true });
// The form below grows and shrinks with what is written in it.
new ResizeObserver(() => {
  if (follows) toEnd();
}).observe(log);

/** Calls back when the reader has moved, or was moved along. */
export function onMove(callback: () => void): void {
  watchers.push(callback);
}

/** Changes the log without taking the reader away from what is being read. */
export function keepPlace(change: () => void): void {
  // A scroll upwards that no event has told of yet counts.
  if (isNearEnd() || (follows && log.scrollTop >= lastTop - 1)) {
    change();
    toEnd();
    return;
  }
  const anchors = [...log.children].slice(firstInView(), firstInView() + ANCHORS).map((child) => {
    const element = child as HTMLElement;
    return { element, top: element.offsetTop };
  });
  change();
  const anchor = anchors.find(({ element }) => element.isConnected);
  if (anchor !== undefined) log.scrollTop += anchor.element.offsetTop - anchor.top;
  moved();
}

export function toEnd(): void {
  const end = log.scrollHeight - log.clientHeight;
  log.scrollTop = stop === undefined ? end : Math.min(end, stop.offsetTop);
  moved();
}

/** From now on the log is followed only as far as this element can be seen. */
export function stopAt(element: HTMLElement | undefined): void {
  stop = element;
}

export function isAtEnd(): boolean {
  return follows;
}

/** How far it is from the top of what there is. */
export function aboveReader(): number {
  return log.scrollTop;
}

/** The lower edge of what the reader sees, as elements in the log count their `offsetTop`. */
export function lowerEdge(): number {
  return log.scrollTop + log.clientHeight;
}

function moved(): void {
  follows = isNearEnd();
  lastTop = log.scrollTop;
  watchers.forEach((callback) => callback());
}

function isNearEnd(): boolean {
  return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
}

/** The index of the first child that reaches into view. */
function firstInView(): number {
  const { children, scrollTop } = log;
  let [from, to] = [0, children.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const { offsetTop, offsetHeight } = children[middle] as HTMLElement;
    if (offsetTop + offsetHeight > scrollTop) to = middle;
    else from = middle + 1;
  }
  return from;
}

import { byId, grouped } from "./page.js";
import { titleCount } from "./title.js";

const number = byId("count");
const lastKnown = byId("last-known");
const frame = byId("frame");
const rings = document.querySelectorAll<HTMLElement>(".ring");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let count: number | undefined;
let isLive = false;

export function showCount(value: number): void {
  const changed = value !== count;
  count = value;
  isLive = true;
  render();
  if (changed) ripple();
}

/** The text of an Engine.IO packet as it came, in a WebSocket message or as one of a polling payload. */
export function showFrame(text: string): void {
  frame.textContent = text;
}

/** The connection is gone: the number is what it was, not what it is. */
export function showLastKnown(): void {
  isLive = false;
  render();
}

function render(): void {
  if (count === undefined) return;
  const text = grouped.format(count);
  number.textContent = text;
  number.dataset["length"] = String(text.length);
  number.classList.toggle("stale", !isLive);
  lastKnown.hidden = isLive;
  titleCount(isLive ? text : `${text} last known`);
}

function ripple(): void {
  if (calm.matches) return;
  rings.forEach((ring, index) => {
    ring.animate(
      [
        { transform: "scale(.55)", opacity: 0 },
        { opacity: 0.55, offset: 0.25 },
        { transform: "scale(1.5)", opacity: 0 },
      ],
      { duration: 1400, delay: index * 160, easing: "cubic-bezier(.2, .6, .3, 1)" },
    );
  });
}

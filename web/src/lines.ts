import type { Message } from "./wire.js";

/** A message, and what shows it. */
export interface Line {
  readonly message: Message;
  readonly element: HTMLElement;
  /** Says above it that a day begins with it. */
  day?: HTMLElement | undefined;
}

/** The messages that the page has, each once, ascending by id whatever the order in which they come. */
const lines: Line[] = [];

/** The index of the first line whose id is `id` or greater. */
function position(id: number): number {
  // Most come at the end.
  if ((lines.at(-1)?.message.id ?? -Infinity) < id) return lines.length;
  let [from, to] = [0, lines.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((lines[middle] as Line).message.id < id) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Files a line. It must not be there yet. */
export function insertLine(line: Line): void {
  lines.splice(position(line.message.id), 0, line);
}

export function removeLine(line: Line): void {
  lines.splice(position(line.message.id), 1);
}

/** The line of this message. */
export function lineOf(id: number): Line | undefined {
  const line = lines[position(id)];
  return line?.message.id === id ? line : undefined;
}

/** The neighbours of a place between lines, or of the line that is there. */
export function lineBefore(id: number): Line | undefined {
  return lines[position(id) - 1];
}

export function lineAfter(id: number): Line | undefined {
  return lines[position(id + 1)];
}

/** All lines, ascending by id. */
export function allLines(): readonly Line[] {
  return lines;
}

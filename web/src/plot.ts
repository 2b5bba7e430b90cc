import uPlot from "uplot";
import { ANSWER_WITHIN_MS, type Room, byId, grouped } from "./page.js";

const LONGEST_S = 600;
const SHORTEST_S = 10;
/** What ticks may be apart. */
const STEPS_S = [5, 10, 30, 60, 120, 300];
const MOST_TICKS = 5;

const box = byId("plot");
const summary = byId("plot-summary");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** Seconds since 1970 by this computer's clock, and the count from then on; null where it is unknown. */
let times: number[] = [];
let counts: (number | null)[] = [];
let joined: number | undefined;

const plot = new uPlot(
  {
    ...size(),
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { range: () => span() }, y: { range: (_, __, most) => [0, Math.max(most, 2) * 1.15] } },
    axes: [
      {
        stroke: () => color("--soft"),
        font: font(),
        grid: { show: false },
        ticks: { show: false },
        size: 24,
        gap: 4,
        splits: ticks,
        values: (_, splits) => splits.map(ago),
      },
      {
        stroke: () => color("--soft"),
        font: font(),
        grid: { stroke: () => color("--line"), width: 1 },
        ticks: { show: false },
        gap: 6,
        space: 20,
        size: (_, labels) => 14 + 8 * Math.max(1, ...(labels ?? []).map((label) => label.length)),
        // Nobody is here by halves.
        incrs: [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power)),
        values: (_, splits) => splits.map((split) => grouped.format(split)),
      },
    ],
    series: [
      {},
      {
        stroke: () => color("--brass"),
        fill: () => color("--brass-wash"),
        width: 2,
        points: { show: false },
        ...(uPlot.paths.stepped && { paths: uPlot.paths.stepped({ align: 1 }) }),
      },
    ],
    hooks: { draw: [markJoin] },
  },
  [[], []],
  box,
);

new ResizeObserver(() => plot.setSize(size())).observe(box);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
setInterval(draw, 1_000);

/** Shows the count from now on. */
export function plotCount(count: number): void {
  note(now(), count);
  draw();
}

/** The count is unknown from now on. */
export function plotLoss(): void {
  note(now(), null);
}

/** Marks the moment when this page came, and asks what was counted before it, or while it was away. */
export async function plotHistory(room: Room): Promise<void> {
  joined ??= now();
  const answer = await room.timeout(ANSWER_WITHIN_MS).emitWithAck("count history").catch(() => undefined);
  if (answer === undefined || "error" in answer) return;
  const ahead = answer.now - Date.now();
  const points = answer.points.map(([at, count]: [number, number]): [number, number] => [(at - ahead) / 1_000, count]);
  const [begin, end] = [points[0]?.[0], points.at(-1)?.[0]];
  if (begin === undefined || end === undefined) return;
  const own = times.map((time, index): [number, number | null] => [time, counts[index] ?? null]);
  // What this page has seen itself stays where the server, which may have been restarted, does not know.
  const all = [...own.filter(([time]) => time < begin), ...points, ...own.filter(([time]) => time > end)];
  times = all.map(([time]) => time);
  counts = all.map(([, count]) => count);
  draw();
}

function note(time: number, count: number | null): void {
  times.push(time);
  counts.push(count);
  // The last of those that are too old says what the oldest that is shown begins with.
  const old = times.findIndex((time) => time > now() - LONGEST_S) - 1;
  if (old > 0) {
    times.splice(0, old);
    counts.splice(0, old);
  }
}

function draw(): void {
  if (document.visibilityState === "hidden" || times.length === 0) return;
  plot.setData([
    [...times, now()],
    [...counts, counts.at(-1) ?? null],
  ]);
  const shown = counts.filter((count) => count !== null);
  if (shown.length === 0) return;
  const [least, most] = [Math.min(...shown), Math.max(...shown)];
  const [begin, end] = span();
  const range = least === most ? `Always ${grouped.format(most)}` : `From ${grouped.format(least)} to ${grouped.format(most)}`;
  const minutes = Math.max(1, Math.round((end - begin) / 60));
  const last = minutes === 1 ? "the last minute" : `the last ${grouped.format(minutes)} minutes`;
  const text = `${range} in ${last}.${joined === undefined ? "" : ` You came at ${clock.format(joined * 1_000)}.`}`;
  if (summary.textContent !== text) summary.textContent = text;
}

function markJoin(plot: uPlot): void {
  if (joined === undefined || joined < span()[0]) return;
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(joined, "x", true));
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = color("--ink");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = font(devicePixelRatio);
  const isLeft = x - bbox.left > bbox.width / 2;
  ctx.textAlign = isLeft ? "right" : "left";
  ctx.textBaseline = "top";
  ctx.fillText("you came", x + (isLeft ? -6 : 6) * devicePixelRatio, bbox.top);
  ctx.restore();
}

/** The time that is shown: all that is known, but neither a moment nor an hour. */
function span(): [number, number] {
  const end = now();
  return [Math.max(end - LONGEST_S, Math.min(times[0] ?? end, end - SHORTEST_S)), end];
}

function ticks(): number[] {
  const [begin, end] = span();
  const step = STEPS_S.find((step) => (end - begin) / step < MOST_TICKS) ?? LONGEST_S;
  return Array.from({ length: Math.floor((end - begin) / step) + 1 }, (_, index) => end - index * step).reverse();
}

function ago(time: number): string {
  const seconds = Math.round(span()[1] - time);
  if (seconds === 0) return "now";
  return seconds < 60 ? `−${seconds} s` : `−${seconds / 60} min`;
}

function size(): { width: number; height: number } {
  return { width: Math.max(box.clientWidth, 100), height: Math.max(box.clientHeight, 60) };
}

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

function font(scale = 1): string {
  return `${12 * scale}px ${getComputedStyle(document.documentElement).fontFamily}`;
}

function now(): number {
  return Date.now() / 1_000;
}

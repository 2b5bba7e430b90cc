import { ANSWER_WITHIN_MS, type Room, byId, counted, grouped } from "./page.js";
import { Rows } from "./rows.js";
import type { Change, Cursor, People, Person, PersonId, Users } from "./wire.js";
import { isYou } from "./you.js";

const heading = byId("people-total");
const rows = new Rows(byId("people"), draw);

let room: Room;
let total = 0;
/** Those that this page knows of, in the order in which they came: the first ones, and at last all. */
let known = new Map<PersonId, Person>();
let inOrder: Person[] = [];
/** Where the rest begins, unless everyone is known. */
let next: Cursor | null = null;
/** What has become of people while an answer is on its way, which may not know it yet. */
let meanwhile: Map<PersonId, Person | "gone"> | undefined;
let frame: number | undefined;

/** Asks this room for the people that `users` did not name. */
export function askForPeople(socket: Room): void {
  room = socket;
}

/** The first of those who are here, told once after connecting. */
export function showUsers(users: Users): void {
  total = users.total;
  next = users.next;
  meanwhile = undefined;
  known = new Map();
  inOrder = [];
  users.people.forEach(append);
  changed();
}

/** Someone came or left. */
export function showChange({ id, name, connected }: Change): void {
  if (connected) come({ id, name, tabs: 1 });
  else leave(id);
  changed();
}

/** Someone opened or closed a page, or has another name now. */
export function showPerson(news: { id: PersonId; name?: string; tabs?: number }): void {
  for (const person of [known.get(news.id), meanwhile?.get(news.id)]) {
    if (person !== undefined && person !== "gone") Object.assign(person, news);
  }
  changed();
}

function come(person: Person): void {
  // Oneself may stand among those that `users` counted and did not name.
  if (known.has(person.id) || isYou(person.id)) return;
  total += 1;
  meanwhile?.set(person.id, person);
  if (next === null) append(person);
}

function leave(id: PersonId): void {
  const person = known.get(id);
  if (person === undefined && next === null) return;
  total -= 1;
  meanwhile?.set(id, "gone");
  if (person === undefined) return;
  known.delete(id);
  inOrder.splice(inOrder.indexOf(person), 1);
}

function append(person: Person): void {
  if (known.has(person.id)) return;
  known.set(person.id, person);
  inOrder.push(person);
}

async function askForMore(after: Cursor): Promise<void> {
  const news = (meanwhile = new Map<PersonId, Person | "gone">());
  const answer = await room.timeout(ANSWER_WITHIN_MS).emitWithAck("people", { after }).catch(() => undefined);
  // A new connection has begun with a list of its own.
  if (meanwhile !== news) return;
  meanwhile = undefined;
  if (answer === undefined || "error" in answer) return;
  add(answer, news);
  changed();
}

function add(answer: People, news: Map<PersonId, Person | "gone">): void {
  next = answer.next;
  for (const person of answer.people) {
    if (news.get(person.id) !== "gone") append(person);
  }
  if (next !== null) return;
  for (const person of news.values()) {
    if (person !== "gone") append(person);
  }
}

/** Draws at most once a frame: thousands may come at once. */
function changed(): void {
  frame ??= requestAnimationFrame(() => {
    frame = undefined;
    heading.textContent = counted(total, "person", "people");
    rows.render(inOrder.length + (next === null ? 0 : 1));
  });
}

function draw(item: HTMLLIElement, index: number): void {
  const person = inOrder[index];
  const kind = person === undefined ? "more" : "person";
  const text = person === undefined ? `and ${grouped.format(total - inOrder.length)} more` : wording(person);
  if (item.className !== kind) item.className = kind;
  if (item.textContent !== text) item.textContent = item.title = text;
  if (person === undefined && next !== null && meanwhile === undefined && room.connected) void askForMore(next);
}

function wording({ id, name, tabs }: Person): string {
  const who = isYou(id) ? `${name} (you)` : name;
  return tabs > 1 ? `${who} · ${counted(tabs, "page", "pages")}` : who;
}

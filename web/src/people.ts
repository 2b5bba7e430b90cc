import { byId, grouped, make } from "./page.js";
import type { Person, Users } from "./wire.js";

const SHOWN = 50;

const heading = byId("people-total");
const list = byId("people");
const signedIn = byId("you");

let you = "";
let total = 0;
let names = new Set<string>();

/** Everyone who is here, told once after connecting. */
export function showUsers(users: Users): void {
  you = users.you;
  total = users.total;
  names = new Set(users.people);
  signedIn.textContent = you;
  render();
}

/** Someone came or left. */
export function showPerson({ name, connected }: Person): void {
  if (connected) come(name);
  else leave(name);
  render();
}

function come(name: string): void {
  // Oneself may stand among those that `users` counted and did not name.
  if (names.has(name) || name === you) return;
  total += 1;
  if (names.size < SHOWN) names.add(name);
}

function leave(name: string): void {
  const everyoneIsNamed = names.size === total;
  if (!names.delete(name) && everyoneIsNamed) return;
  total -= 1;
}

function render(): void {
  heading.textContent = total === 1 ? "1 person" : `${grouped.format(total)} people`;
  const items = [...names].map((name) => make("li", "person", name === you ? `${name} (you)` : name));
  const more = total - names.size;
  if (more > 0) items.push(make("li", "more", `and ${grouped.format(more)} more`));
  list.replaceChildren(...items);
}

import { byId } from "./page.js";
import type { PersonId, You } from "./wire.js";

const shown = byId("you");
const account = byId("account");
const createAccount = byId("create-account");

/** Who is signed in here, once the server has said so. */
export let you: You | undefined;

export function showYou(now: You): void {
  you = now;
  shown.textContent = now.name;
  account.hidden = !now.account;
  createAccount.hidden = now.account;
}

export function isYou(id: PersonId | null): boolean {
  return id === you?.id;
}

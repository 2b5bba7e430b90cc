/** Which messages the page has: recent ones, then all that follow, and older ones as far as the reader goes back. */

import type { ServerNow } from "./connection.js";
import { allLines, lineOf } from "./lines.js";
import { clearLog, hasSpace, hideMessages, onTrim, showMessages } from "./log.js";
import { ANSWER_WITHIN_MS, type Room, byId } from "./page.js";
import { aboveReader, onMove } from "./place.js";
import { noteArrivals, showUnread } from "./unread.js";
import type { Message, Messages, WhichMessages } from "./wire.js";

/** What is nearer to the reader than this is asked for before it is missed. */
const AHEAD_PX = 600;
const AGAIN_AFTER_MS = 2_000;

const log = byId("log");

let room: Room;
/** Up to this id the page lacks nothing; undefined before the first answer. */
let complete: number | undefined;
/** While what was missed is being asked for, messages come that do not follow those before them. */
let isCatchingUp = true;
let hasOlder = false;
let isAskingOlder = false;
/** Questions on their way, and what was deleted meanwhile: an answer may not know it yet. */
let asking = 0;
const deleted = new Set<number>();
/** Since the server was restarted, its messages may be others than those that this page knows. */
let mayBeAnother = false;

export function keepHistory(socket: Room): void {
  room = socket;
  room.on("disconnect", () => (isCatchingUp = true));
  onMove(() => void askOlder());
  onTrim(() => (hasOlder = true));
}

/** The connection is there: asks for what has been said meanwhile. */
export async function catchUp(server: ServerNow): Promise<void> {
  mayBeAnother ||= server === "restarted";
  isCatchingUp = true;
  const connection = room.id;
  const isThere = (): boolean => room.id === connection;
  if (complete === undefined) {
    clearLog();
    const answer = await askUntilAnswered(() => ({}), isThere);
    if (answer === undefined) return;
    hasOlder = answer.more;
    take(answer);
    complete = newest();
    showUnread();
  } else {
    for (let more = true; more; ) {
      const after: number = complete;
      const answer = await askUntilAnswered(() => ({ after, since: oldest() ?? after }), isThere);
      if (answer === undefined) return;
      take(answer);
      complete = answer.messages.at(-1)?.id ?? after;
      more = answer.more;
    }
  }
  isCatchingUp = false;
  complete = Math.max(complete, newest());
  log.ariaBusy = "false";
  void askOlder();
}

/** Somebody has said something. */
export function hear(message: Message): void {
  if (mayBeAnother && !isCatchingUp && message.id <= (complete ?? 0) && lineOf(message.id) === undefined) {
    complete = undefined;
    mayBeAnother = false;
    void catchUp("as before");
    return;
  }
  showMessages([message]);
  if (!isCatchingUp) complete = Math.max(complete ?? 0, message.id);
  noteArrivals();
}

/** Somebody has taken something back. */
export function forget(id: number): void {
  if (asking > 0) deleted.add(id);
  hideMessages([id]);
  noteArrivals();
}

async function askOlder(): Promise<void> {
  if (!hasOlder || isAskingOlder || isCatchingUp || aboveReader() > AHEAD_PX || !hasSpace()) return;
  isAskingOlder = true;
  const connection = room.id;
  const before = oldest() ?? (complete ?? 0) + 1;
  const answer = await ask({ before });
  isAskingOlder = false;
  if (answer === undefined || room.id !== connection) return;
  // Else the beginning was trimmed or deleted meanwhile, and the answer does not reach it.
  if (before === (oldest() ?? before)) {
    hasOlder = answer.more;
    // Older messages are no news: they are not read out.
    log.ariaLive = "off";
    take(answer);
    requestAnimationFrame(() => (log.ariaLive = "polite"));
  }
  void askOlder();
}

async function askUntilAnswered(which: () => WhichMessages, isWanted: () => boolean): Promise<Messages | undefined> {
  while (isWanted()) {
    const answer = await ask(which());
    if (answer !== undefined && isWanted()) return answer;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
  }
  return undefined;
}

async function ask(which: WhichMessages): Promise<Messages | undefined> {
  asking += 1;
  const answer = await room.timeout(ANSWER_WITHIN_MS).emitWithAck("messages", which).catch(() => undefined);
  asking -= 1;
  return answer === undefined || "error" in answer ? undefined : answer;
}

function take(answer: Messages): void {
  showMessages(answer.messages.filter(({ id }) => !deleted.has(id)));
  hideMessages(answer.deleted ?? []);
  if (asking === 0) deleted.clear();
  noteArrivals();
}

function oldest(): number | undefined {
  return allLines()[0]?.message.id;
}

function newest(): number {
  return allLines().at(-1)?.message.id ?? 0;
}

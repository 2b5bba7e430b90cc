/** The room's events, as they stand on the wire. */

/** Names a person in all their pages. */
export type PersonId = string;

/** Where a list of people goes on; only the server reads it. */
export type Cursor = number;

export interface Person {
  id: PersonId;
  name: string;
  /** How many pages the person has open. */
  tabs: number;
}

export interface You {
  id: PersonId;
  name: string;
  account: boolean;
}

export interface People {
  people: Person[];
  next: Cursor | null;
}

export interface Users extends People {
  /** How many people there are, those in `people` included. */
  total: number;
  you: You;
  /** Changes when the server restarts. */
  server: string;
}

export interface Change {
  id: PersonId;
  name: string;
  connected: boolean;
}

export interface Message {
  id: number;
  name: string;
  message: string;
  /** Milliseconds since 1970. */
  at: number;
  /** Who wrote it; nobody any more if that account is deleted. */
  by: PersonId | null;
}

export interface Messages {
  messages: Message[];
  /** Whether there are further ones in the direction asked for. */
  more: boolean;
  deleted?: number[];
}

export interface Typing {
  people: { id: PersonId; name: string }[];
  total: number;
}

export interface CountHistory {
  /** The server's clock, as are the points' times: milliseconds since 1970. */
  now: number;
  points: [at: number, count: number][];
}

export type Failed = { error: string; retry?: boolean };
export type Reply = { id: number } | Failed;

/** The newest, those before one, or those after one with all that was deleted since. */
export type WhichMessages = Record<string, never> | { before: number } | { after: number; since: number };

export interface FromServer {
  "user count": (count: number) => void;
  users: (users: Users) => void;
  user: (change: Change) => void;
  tabs: (who: { id: PersonId; tabs: number }) => void;
  renamed: (who: { id: PersonId; name: string }) => void;
  "chat message": (message: Message) => void;
  "message deleted": (which: { id: number }) => void;
  typing: (typing: Typing) => void;
}

export interface ToServer {
  "chat message": (text: string, key: string, answer: (reply: Reply) => void) => void;
  "delete message": (id: number, answer: (reply: Reply) => void) => void;
  messages: (which: WhichMessages, answer: (messages: Messages | Failed) => void) => void;
  people: (which: { after: Cursor }, answer: (people: People | Failed) => void) => void;
  typing: (isTyping: boolean) => void;
  "count history": (answer: (history: CountHistory | Failed) => void) => void;
}

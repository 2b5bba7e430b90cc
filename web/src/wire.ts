/** The room's events, as they stand on the wire. */

export interface Users {
  /** The first names, at most 50. */
  people: string[];
  /** How many people there are, these included. */
  total: number;
  you: string;
}

export interface Person {
  name: string;
  connected: boolean;
}

export interface Message {
  name: string;
  message: string;
  id: number;
  /** Milliseconds since 1970. */
  at: number;
}

export type Reply = { id: number } | { error: string };

export interface FromServer {
  "user count": (count: number) => void;
  users: (users: Users) => void;
  user: (person: Person) => void;
  "chat message": (message: Message) => void;
}

export interface ToServer {
  "chat message": (text: string, answer: (reply: Reply) => void) => void;
}

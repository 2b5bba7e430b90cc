//! What two servers never agree on, and what it is replaced by. Nothing else is.

/**
 * Each kind, and where it stands: the group `id` is replaced by the kind and a number, the same for the same value within
 * an exchange. So it is seen whether an id is an old one or a new one.
 */
const KINDS = [
  // Of sessions and of sockets.
  ["sid", /\\?"sid\\?":\\?"(?<id>[\w-]{20})\\?"/dg],
  ["sid", /^io=(?<id>[\w-]{20});/dg],
  ["sid", /\/[\w-]+#(?<id>[\w-]{20})/dg],
  // What a client proves with, on coming back, who it was.
  ["pid", /"pid":"(?<id>[\w-]{20})"/dg],
  // The place of an event among those that may be sent again. These events carry a number, and then their place.
  ["offset", /\["(?:one|told|answered|surely)",\d+,"(?<id>[\w.-]{7,})"\]$/dg],
  // The number by which the server knows an answer again. Answers to clients carry the client's number: that is compared.
  ["ack", /^4(?:2|5\d+-)(?:\/[^,]*,)?(?<id>\d+)\[/dg],
];

/** The values of one exchange with one server. */
export class Normal {
  #known = new Map();

  /** A value without what differs by nature. */
  of(value) {
    if (typeof value === "string") return KINDS.reduce((text, kind) => this.#replace(text, kind), value);
    if (Array.isArray(value)) return value.map((item) => this.of(item));
    return value;
  }

  #replace(text, [kind, pattern]) {
    return [...text.matchAll(pattern)].reverse().reduce((text, match) => {
      const [start, end] = match.indices.groups.id;
      return `${text.slice(0, start)}<${kind} ${this.#number(kind, match.groups.id)}>${text.slice(end)}`;
    }, text);
  }

  #number(kind, id) {
    const key = `${kind} ${id}`;
    if (!this.#known.has(key)) {
      const others = [...this.#known.keys()].filter((known) => known.startsWith(`${kind} `));
      this.#known.set(key, others.length + 1);
    }
    return this.#known.get(key);
  }
}

//! Transcripts of the reference and of fanfare, field by field.

import { isDeepStrictEqual } from "node:util";

/** A field that one of the two has not. */
export const ABSENT = "(nothing)";

/** All fields in which the transcripts of an exchange differ, in their order. */
export function differences(exchange, reference, fanfare) {
  const fields = new Set([...reference.keys(), ...fanfare.keys()]);
  return [...fields]
    .map((field) => ({ exchange, field, reference: valueOf(reference, field), fanfare: valueOf(fanfare, field) }))
    .filter((found) => !isDeepStrictEqual(found.reference, found.fanfare));
}

function valueOf(transcript, field) {
  return transcript.has(field) ? transcript.get(field) : ABSENT;
}

/** The differences that nobody has listed, and the listed ones that do not occur. */
export function judge(found, listed) {
  const isSame = (one, other) =>
    ["exchange", "field", "reference", "fanfare"].every((key) => isDeepStrictEqual(one[key], other[key]));
  return {
    unlisted: found.filter((one) => !listed.some((other) => isSame(one, other))),
    unseen: listed.filter((one) => !found.some((other) => isSame(one, other))),
  };
}

/** Differences as somebody wants to read them. */
export function told(differences) {
  return differences
    .map(({ exchange, field, reference, fanfare }) =>
      [`'${exchange}', ${field}`, `  reference: ${JSON.stringify(reference)}`, `  fanfare:   ${JSON.stringify(fanfare)}`].join("\n"),
    )
    .join("\n");
}

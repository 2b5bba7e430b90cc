//! Which feature a test proves, with which client: what the table of docs/compatibility.md is made of.

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { CLIENTS, FEATURES } from "./table.mjs";

/**
 * A test that proves `feature` with `client` over `way`, by its end. What has been proven is noted in the file that
 * `FANFARE_PROVEN` names, if it does.
 */
export function proves(feature, client, way, test) {
  assert(feature in FEATURES && client in CLIENTS, `the table has no ${feature} with ${client}`);
  return async (t) => {
    await test(t);
    const { FANFARE_PROVEN: notes } = process.env;
    if (notes) appendFileSync(notes, `${JSON.stringify({ feature, client, way })}\n`);
  };
}

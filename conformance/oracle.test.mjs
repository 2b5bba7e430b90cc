//! The reference as oracle: the same exchanges, byte by byte, with Node's `socket.io` and with fanfare, and each field of
//! their transcripts compared. A failure names the field, what the reference said, and what fanfare did.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { differences, judge, told } from "./oracle/compare.mjs";
import { DEVIATIONS } from "./oracle/deviations.mjs";
import { FAULTS } from "./oracle/faults.mjs";
import { SCRIPT } from "./oracle/script/index.mjs";
import { FAILURE, Side } from "./oracle/side.mjs";

/** What is ended with this file. */
const ends = [];
const lasting = { after: (end) => ends.push(end) };

let fanfare;
let reference;
let heard;

before(async () => {
  const sides = await Promise.all([Side.reference(lasting), Side.fanfare(lasting)]);
  fanfare = sides[1];
  [reference, heard] = await Promise.all(sides.map((side) => side.hold(SCRIPT)));
});
after(() => Promise.all(ends.map((end) => end())));

/** What differs in an exchange, once fanfare has said `heard`. */
function found(exchange, heard) {
  return differences(exchange, reference.get(exchange), heard.get(exchange));
}

describe("the reference and fanfare say the same", () => {
  for (const { name } of SCRIPT) {
    test(name, () => {
      assert.equal(reference.get(name).get(FAILURE), undefined, "the exchange has to come to its end with the reference");
      const listed = DEVIATIONS.filter(({ exchange }) => exchange === name);
      const { unlisted, unseen } = judge(found(name, heard), listed);
      assert(unlisted.length === 0, `differs, and oracle/deviations.mjs does not list it:\n${told(unlisted)}`);
      assert(unseen.length === 0, `does not differ as oracle/deviations.mjs lists it:\n${told(unseen)}`);
    });
  }
});

describe("the list of deviations", () => {
  test("each has a paragraph in docs/compatibility.md", async () => {
    const page = await readFile(new URL("../docs/compatibility.md", import.meta.url), "utf8");
    const untold = DEVIATIONS.filter(({ title }) => !new RegExp(`^\\*\\*Deviation: ${title}\\.\\*\\*`, "m").test(page));
    assert.deepEqual(untold, []);
  });

  test("each is of an exchange that is held, and all exchanges have names of their own", () => {
    const names = new Set(SCRIPT.map(({ name }) => name));
    assert.equal(names.size, SCRIPT.length);
    assert.deepEqual(DEVIATIONS.filter(({ exchange }) => !names.has(exchange)), []);
  });

  test("what is not listed is found, and so is what is listed and does not occur", () => {
    const [one, other] = ["a", "b"].map((field) => ({ exchange: "x", field, reference: 1, fanfare: 2 }));
    assert.deepEqual(judge([one], [one]), { unlisted: [], unseen: [] });
    assert.deepEqual(judge([one], [other]), { unlisted: [one], unseen: [other] });
    assert.deepEqual(judge([one], [{ ...one, fanfare: 3 }]).unlisted, [one]);
  });
});

describe("a fault on the wire is found", () => {
  for (const { name, setup, change, exchange } of FAULTS) {
    test(name, async (t) => {
      const faulty = await fanfare.behind(t, setup, change);
      const held = SCRIPT.filter((exchange) => exchange.setup === setup);
      const heard = await faulty.hold(held);
      const wrong = held.filter(({ name }) => judge(found(name, heard), DEVIATIONS).unlisted.length > 0);
      assert.deepEqual(wrong.map(({ name }) => name), [exchange]);
    });
  }
});

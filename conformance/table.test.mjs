//! The table of clients: nothing is in it that no test has proven, and nobody can edit it by hand.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { newFolder } from "./lib/program.mjs";
import { CLIENTS, FEATURES, LACKS, render } from "./lib/table.mjs";

/** As if every test had passed. */
const ALL = Object.entries(FEATURES).flatMap(([feature, { ways }]) =>
  Object.keys(CLIENTS)
    .filter((client) => LACKS[client][feature] === undefined)
    .flatMap((client) => ways.map((way) => ({ feature, client, way }))),
);

test("what one way has not proven is in no table", () => {
  assert.match(render(ALL), /\| connects \| yes/);
  const less = ALL.filter(({ feature, client, way }) => !(feature === "rooms" && client === "python" && way === "upgrade"));
  assert.throws(() => render(less), /no test has proven 'rooms' with python-socketio .* over upgrade/);
});

test("what is proven cannot be said to be lacking", () => {
  const more = [...ALL, { feature: "answering", client: "rust", way: "polling" }];
  assert.throws(() => render(more), /rust_socketio .* is said to lack 'answering', and has proven it/);
});

test("an edit of the table by hand is found, and the way to the right one told", async (t) => {
  const checkout = await newFolder(t);
  const [conformance, docs] = ["conformance", "docs"].map((folder) => join(checkout, folder));
  await Promise.all([mkdir(conformance), mkdir(docs)]);
  const [here, page] = [new URL(".", import.meta.url), join(docs, "compatibility.md")];
  await copyFile(new URL("table.mjs", here), join(conformance, "table.mjs"));
  await symlink(new URL("lib", here), join(conformance, "lib"));
  await copyFile(new URL("../docs/compatibility.md", here), page);
  const notes = join(checkout, "notes");
  await writeFile(notes, ALL.map((proof) => `${JSON.stringify(proof)}\n`).join(""));

  assert.deepEqual(await run(conformance, "write", notes), { code: 0, said: "" });
  assert.deepEqual(await run(conformance, "compare", notes), { code: 0, said: "" });
  const right = await readFile(page, "utf8");
  assert.equal(right, await readFile(new URL("../docs/compatibility.md", here), "utf8"));
  await writeFile(page, right.replace(/\| – \(\d+\) \|/, "| yes |"));
  const { code, said } = await run(conformance, "compare", notes);
  assert.equal(code, 1);
  assert.match(said, /`cargo xtask test conformance --write-table` writes it/);
});

function run(folder, ...args) {
  return new Promise((resolve) => {
    execFile("node", ["table.mjs", ...args], { cwd: folder }, (error, said) => resolve({ code: error?.code ?? 0, said }));
  });
}

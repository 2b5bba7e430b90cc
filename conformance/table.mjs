//! `node table.mjs compare|write NOTES`: the table of clients in docs/compatibility.md against what a run of all tests has proven.

import { readFileSync, writeFileSync } from "node:fs";
import { render, withTable } from "./lib/table.mjs";

const PAGE = new URL("../docs/compatibility.md", import.meta.url);

const [, , task, notes] = process.argv;
const proven = readFileSync(notes, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const page = readFileSync(PAGE, "utf8");
const wanted = withTable(page, render(proven));
if (task === "write") {
  writeFileSync(PAGE, wanted);
} else if (page !== wanted) {
  console.log("the table of clients in docs/compatibility.md is not what the tests have proven: `cargo xtask test conformance --write-table` writes it");
  process.exitCode = 1;
}

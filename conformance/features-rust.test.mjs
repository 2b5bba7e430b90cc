//! rust_socketio: what it is able to do.

import { describe } from "node:test";
import { testFeatures } from "./features.mjs";

describe("in Rust", { skip: process.env.FANFARE_FOREIGN ? false : "FANFARE_FOREIGN does not say where other makers' programs are" }, () => {
  testFeatures("rust");
});

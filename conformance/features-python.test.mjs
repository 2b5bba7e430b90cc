//! python-socketio: what it is able to do.

import { describe } from "node:test";
import { testFeatures } from "./features.mjs";

describe("in Python", { skip: process.env.FANFARE_PYTHON ? false : "FANFARE_PYTHON does not say where python-socketio is" }, () => {
  testFeatures("python");
});

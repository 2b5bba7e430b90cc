//! The official client in a real browser: what it is able to do.

import { after, describe } from "node:test";
import { testFeatures } from "./features.mjs";
import { noBrowser } from "./lib/browser.mjs";
import { closeBrowser } from "./lib/page.mjs";

describe("in a browser", { skip: noBrowser }, () => {
  testFeatures("chromium");
  after(closeBrowser);
});

//! All exchanges, topic by topic.

import { EVENTS } from "./events.mjs";
import { HANDSHAKES } from "./handshakes.mjs";
import { HEARTBEATS } from "./heartbeats.mjs";
import { NAMESPACES } from "./namespaces.mjs";
import { OLDER } from "./older.mjs";
import { PAGES } from "./pages.mjs";
import { POLLING } from "./polling.mjs";
import { RECOVERY } from "./recovery.mjs";
import { ROOMS } from "./rooms.mjs";
import { UPGRADES } from "./upgrades.mjs";
import { VIOLATIONS } from "./violations.mjs";
import { WEBSOCKETS } from "./websockets.mjs";

export const SCRIPT = [
  // These wait for time to pass, and begin first.
  ...HEARTBEATS,
  ...HANDSHAKES,
  ...POLLING,
  ...WEBSOCKETS,
  ...UPGRADES,
  ...NAMESPACES,
  ...EVENTS,
  ...VIOLATIONS,
  ...ROOMS,
  ...RECOVERY,
  ...OLDER,
  ...PAGES,
];

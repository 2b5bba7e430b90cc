//! The official client 3.x against the examples.

import { testClient } from "./client.mjs";
import { Client3 } from "./lib/client.mjs";

testClient(Client3);

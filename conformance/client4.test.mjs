//! The official client 4.x against the examples.

import { testClient } from "./client.mjs";
import { Client } from "./lib/client.mjs";

testClient(Client);

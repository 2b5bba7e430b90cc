//! The official clients in Node: what each of them is able to do.

import { testFeatures } from "./features.mjs";

for (const client of ["node2", "node3", "node4"]) testFeatures(client);

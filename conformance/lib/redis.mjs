//! A redis-server of a file's own, on a port of its own.

import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "@redis/client";
import { PATIENCE_MS, within } from "./deadline.mjs";
import { freePort, Program } from "./program.mjs";

/** Why there is none; `false` if there is one. */
export function noRedis() {
  return program() ? false : `none of ${PROGRAMS.join(" and ")} is in PATH`;
}

export class Redis {
  url;
  program;

  /** One that keeps nothing, and answers. It is ended with `t`. */
  static async started(t) {
    for (;;) {
      const redis = new Redis();
      const port = await freePort();
      redis.url = `redis://127.0.0.1:${port}`;
      const args = ["--bind", "127.0.0.1", "--port", String(port), "--save", "", "--appendonly", "no"];
      redis.program = new Program(t, program(), args);
      await redis.program.until(
        () => `the beginning of ${redis.program}`,
        () => redis.program.ended || redis.program.output.includes("Ready to accept connections"),
      );
      if (!redis.program.ended) return redis;
      // Somebody else was faster.
      assert.match(redis.program.output, /in use/i, `${redis.program}`);
    }
  }

  /** A connection to it, which whoever asks for it closes. */
  async connection() {
    const client = createClient({ url: this.url });
    // Whoever uses it is told; without a listener the whole file would end.
    client.on("error", () => {});
    await within(client.connect(), "a connection to Redis");
    return client;
  }
}

/** Waits until so many have subscribed to a channel. */
export async function subscribers(client, channel, count) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { [channel]: there } = await client.pubSubNumSub(channel);
    if (there === count) return;
    assert(Date.now() < deadline, `${there} instead of ${count} have subscribed to ${channel}`);
    await pause(10);
  }
}

const PROGRAMS = ["redis-server", "valkey-server"];

function program() {
  const folders = process.env.PATH.split(delimiter);
  return PROGRAMS.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

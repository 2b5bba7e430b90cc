//! The clients of all makers, each opened and used in the same way.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Client, Client2, Client3, WAYS } from "./client.mjs";
import { Driven } from "./driven.mjs";
import { drivePage } from "./page.mjs";
import { Program, foreign, python } from "./program.mjs";

const here = new URL("..", import.meta.url);
const { devDependencies: packages } = JSON.parse(readFileSync(new URL("package.json", here), "utf8"));

/**
 * A client's name; `open(t, url, { way, nsp, auth })`, which begins to connect; and how many answers it can wait for together, if that is
 * not as many as one likes.
 */
export const MAKERS = {
  node2: { name: `socket.io-client ${version("socket.io-client2")}`, open: official(Client2) },
  node3: { name: `socket.io-client ${version("socket.io-client3")}`, open: official(Client3) },
  node4: { name: `socket.io-client ${version("socket.io-client")}`, open: official(Client) },
  chromium: { name: `socket.io-client ${version("socket.io-client")} in Chromium`, open: drivePage },
  python: {
    name: `python-socketio ${pinned("python/requirements.txt", /^python-socketio==(\S+)$/m)}`,
    open: (t, url, options) => drive(t, python(), [fileURLToPath(new URL("python/client.py", here))], url, options),
  },
  rust: {
    name: `rust_socketio ${pinned("rust/Cargo.toml", /^rust_socketio = "=([^"]+)"/m)}`,
    open: (t, url, options) => drive(t, foreign("client"), [], url, options),
    together: 1,
  },
};

function official(Kind) {
  return (t, url, { way, nsp = "", auth }) => {
    const client = Kind.open(t, url + nsp, { ...WAYS[way], auth });
    client.socket.on("question", (...args) => args.pop()(...args));
    return client;
  };
}

function drive(t, file, args, url, { way, nsp = "/", auth = {} }) {
  const program = new Program(t, file, [...args, url, nsp, WAYS[way].transports.join(), JSON.stringify(auth)]);
  const driven = new Driven((told) => program.write(`${JSON.stringify(told)}\n`), program);
  program.onLine((line) => driven.hear(JSON.parse(line)));
  return driven;
}

function version(name) {
  return packages[name].split("@").at(-1);
}

function pinned(file, pattern) {
  return pattern.exec(readFileSync(new URL(file, here), "utf8"))[1];
}

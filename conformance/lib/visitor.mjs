//! Somebody who visits the room: signs in by the form, and opens sockets with the cookie from there.

import assert from "node:assert/strict";
import { request } from "node:http";
import { Client, WAYS } from "./client.mjs";

export const COOKIE = "fanfare_session";

export class Visitor {
  name;
  /** The cookie as browsers send it. */
  cookie;
  #t;
  #url;

  /** Somebody who has signed in under this name. */
  static async signedIn(t, url, name) {
    const visitor = new Visitor();
    visitor.#t = t;
    visitor.#url = url;
    visitor.name = name;
    const answer = await signIn(url, name);
    assert.equal(answer.status, 303, await answer.text());
    visitor.cookie = cookieOf(answer);
    return visitor;
  }

  /** Opens the room: a socket that is connected and has been told who is there. */
  async enters(options = WAYS.websocket) {
    const client = Client.open(this.#t, this.#url, { ...options, extraHeaders: { cookie: this.cookie } });
    await client.arrival();
    await client.until(() => `'users' for ${this.name}; ${client}`, () => client.heard("users").length > 0);
    return client;
  }

  /** Sends this session's cookie along. */
  fetch(path, options = {}) {
    return visit(this.#url, path, { ...options, headers: { cookie: this.cookie, ...options.headers } });
  }

  signOut() {
    return this.fetch("/logout", { method: "POST" });
  }
}

/** Sends the form. `fields` may be anything that URLSearchParams takes. */
export function signIn(url, username, headers = {}) {
  return visit(url, "/guest", { method: "POST", headers, body: new URLSearchParams({ username }) });
}

/** One request; a redirection is an answer like others. */
export function visit(url, path, options = {}) {
  return fetch(new URL(path, url), { redirect: "manual", ...options });
}

/** One request with its path just as given: `fetch` would tidy it. */
export function visitExactly(url, path, headers = {}) {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const get = request({ hostname, port, path, headers, agent: false }, async (answer) => {
      const chunks = await answer.toArray();
      resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(chunks).toString() });
    });
    get.on("error", reject).end();
  });
}

/** The session's cookie as the browser will send it. */
export function cookieOf(answer) {
  const [cookie] = answer.headers.getSetCookie();
  return cookie?.split(";")[0];
}

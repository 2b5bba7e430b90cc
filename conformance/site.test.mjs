//! The room's HTTP: signing in and out, and which files there are for whom.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Client } from "./lib/client.mjs";
import { startRoom } from "./lib/program.mjs";
import { COOKIE, Visitor, cookieOf, signIn, visit, visitExactly } from "./lib/visitor.mjs";

const FOREIGN = { origin: "http://evil.example" };

test("the first page asks for a name, and opens no socket", async (t) => {
  const { url } = await startRoom(t);
  const answer = await visit(url, "/");
  const page = await answer.text();
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type"), /^text\/html; charset=utf-8$/i);
  assert.match(page, /<form method="post" action="\/guest">/);
  assert.match(page, /name="username"/);
  assert.doesNotMatch(page, /<script/);
  assert.deepEqual(answer.headers.getSetCookie(), []);
});

test("a name leads into the room, with a cookie that scripts and other sites don't get", async (t) => {
  const { url } = await startRoom(t);
  const answer = await signIn(url, "Ann");
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get("location"), "/chat");
  const [cookie, ...more] = answer.headers.getSetCookie();
  const [pair, ...flags] = cookie.split("; ");
  assert.deepEqual(more, []);
  assert.match(pair, new RegExp(`^${COOKIE}=.+`));
  for (const flag of ["HttpOnly", "SameSite=Lax", "Path=/"]) assert(flags.includes(flag), cookie);
  // On plain HTTP the browser would throw it away.
  assert(!flags.includes("Secure"), cookie);
  const room = await visit(url, "/chat", { headers: { cookie: pair } });
  assert.equal(room.status, 200);
  assert.match(await room.text(), /id="count"/);
});

test("behind TLS the cookie never goes over plain HTTP", async (t) => {
  const { url } = await startRoom(t);
  const answer = await signIn(url, "Ann", { origin: url.replace("http:", "https:") });
  assert.match(answer.headers.getSetCookie()[0], /; Secure/);
});

const BAD_NAMES = [
  ["no name", "", /1 to 32 characters; this one has 0/],
  ["nothing but space", " \t ", /1 to 32 characters; this one has 0/],
  ["33 characters", "a".repeat(33), /1 to 32 characters; this one has 33/],
  ["10,000 characters", "ä".repeat(10_000), /1 to 32 characters; this one has 10,000/],
  ["a control character", "A\u0007nn", /control characters.*U\+0007/],
  ["a line break", "Ann\nBen", /control characters or line breaks.*U\+000A/],
  ["NUL", "A\0nn", /control characters.*U\+0000/],
  ["a zero-width space", "A\u200Bnn", /invisible.*U\+200B/],
  ["a zero-width joiner", "Ann\u200D", /invisible.*U\+200D/],
  ["a right-to-left override", "\u202EnnA", /direction.*U\+202E/],
  ["an isolate", "Ann\u2066", /direction.*U\+2066/],
  ["a letter that shows nothing", "\u3164", /invisible.*U\+3164/],
];

for (const [what, name, why] of BAD_NAMES) {
  test(`${what} is refused, and the form says why`, async (t) => {
    const { url } = await startRoom(t);
    await refused(await signIn(url, name), why);
  });
}

test("a form that is none is refused, and the form says why", async (t) => {
  const { url } = await startRoom(t);
  const guest = (type, body) => visit(url, "/guest", { method: "POST", headers: { "content-type": type }, body });
  await refused(await guest("application/x-www-form-urlencoded", "name=Ann"), /1 to 32 characters/);
  await refused(await guest("application/x-www-form-urlencoded", "username=%FF%FE"), /comes in UTF-8/);
  await refused(await guest("application/x-www-form-urlencoded", "username=Ann&username=Ben"), /one field, username/);
  await refused(await guest("application/json", '{"username":"Ann"}'), /application\/x-www-form-urlencoded/);
  await refused(await guest("application/x-www-form-urlencoded", `username=${"a".repeat(1_000_000)}`), /longer than any name/);
});

test("a name that somebody here has is taken, however it is written", async (t) => {
  const { url } = await startRoom(t);
  const ann = await Visitor.signedIn(t, url, "Ann Straße");
  await ann.enters();
  for (const name of ["Ann Straße", "ann straße", "ANN STRASSE", " Ann  Straße ", "Ａｎｎ\u3000Ｓｔｒａßｅ"]) {
    await refused(await signIn(url, name), /the name Ann Straße is taken/);
  }
  assert.equal((await signIn(url, "Ann")).status, 303);
});

test("a name that is given up may be had by another", async (t) => {
  const { url } = await startRoom(t);
  const ann = await Visitor.signedIn(t, url, "Ann");
  await ann.enters();
  await ann.signOut();
  await (await Visitor.signedIn(t, url, "ANN")).enters();
});

test("what was typed comes back into the form, never as markup", async (t) => {
  const { url } = await startRoom(t);
  const page = await refused(await signIn(url, `"><img src=x onerror=alert(1)>${"x".repeat(40)}`), /this one has/);
  assert.match(page, /value="&quot;&gt;&lt;img src=x onerror=alert\(1\)&gt;x{40}"/);
  assert.doesNotMatch(page, /<img/);
});

test("without a session the room's page leads back to the form", async (t) => {
  const { url } = await startRoom(t);
  const cookie = (await Visitor.signedIn(t, url, "Ann")).cookie;
  const forged = [undefined, `${COOKIE}=`, `${COOKIE}=x`, `${cookie}x`, cookie.replace("=", "=A"), `other${cookie}`];
  for (const cookie of forged) {
    const answer = await visit(url, "/chat", { headers: cookie === undefined ? {} : { cookie } });
    assert.equal(answer.status, 303, cookie);
    assert.equal(answer.headers.get("location"), "/", cookie);
  }
});

test("signing out takes the cookie, and what it was worth", async (t) => {
  const { url } = await startRoom(t);
  const ann = await Visitor.signedIn(t, url, "Ann");
  assert.equal((await ann.fetch("/logout")).status, 405);
  const answer = await ann.signOut();
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get("location"), "/");
  assert.match(answer.headers.getSetCookie()[0], new RegExp(`^${COOKIE}=;.*Max-Age=0`));
  assert.equal((await ann.fetch("/chat")).headers.get("location"), "/");
});

test("a foreign page can sign nobody in or out", async (t) => {
  const { url } = await startRoom(t);
  const ann = await Visitor.signedIn(t, url, "Ann");
  const tab = await ann.enters();
  for (const headers of [FOREIGN, { origin: "null" }, { origin: `${url}.evil.example` }, { "sec-fetch-site": "cross-site" }]) {
    const [entered, left] = [await signIn(url, "Mallory", headers), await ann.fetch("/logout", { method: "POST", headers })];
    assert.deepEqual([entered.status, left.status], [403, 403], JSON.stringify(headers));
    assert.equal(cookieOf(entered), undefined);
  }
  assert.equal((await ann.fetch("/chat")).status, 200);
  assert.equal(tab.socket.connected, true);
});

test("the two files that the lesson's checks read say what they have to", async (t) => {
  const { url } = await startRoom(t);
  const server = await visit(url, "/_api/server.js");
  const source = await server.text();
  assert.match(server.headers.get("content-type"), /^text\/plain; charset=utf-8$/i);
  assert.match(source, /currentUsers/gi);
  assert.match(source, /io.emit.*('|")user count('|").*currentUsers/gi);
  assert.match(source, /Rust/);
  assert.match(source, /on_connect/);

  const client = await visit(url, "/public/client.js");
  const script = await client.text();
  assert.match(client.headers.get("content-type"), /^text\/javascript; charset=utf-8$/i);
  assert.match(script, /socket.on.*('|")user count('|")/gi);
  assert(script.includes("socket.on('user count', function(data) { console.log(data); });"));
});

test("pages of every origin may read these two files, and nothing else", async (t) => {
  const { url } = await startRoom(t);
  const ann = await Visitor.signedIn(t, url, "Ann");
  const shared = async (path, method = "GET") => {
    const { headers } = await ann.fetch(path, { method, headers: FOREIGN });
    return [headers.get("access-control-allow-origin"), headers.get("access-control-allow-credentials")];
  };
  for (const path of ["/_api/server.js", "/public/client.js"]) assert.deepEqual(await shared(path), ["*", null], path);
  const rest = ["/", "/chat", "/healthz", "/nothing", "/socket.io/socket.io.js", "/socket.io/?EIO=4&transport=polling"];
  for (const path of rest) assert.deepEqual(await shared(path), [null, null], path);
  assert.deepEqual(await shared("/guest", "POST"), [null, null]);
  assert.deepEqual(await shared("/guest", "OPTIONS"), [null, null]);
});

test("no other file can be read", async (t) => {
  const { url } = await startRoom(t);
  const paths = [
    "/_api/", "/_api/server.rs", "/_api/room.rs", "/_api/client.js", "/_api/server.js/", "/_api/../Cargo.toml",
    "/_api/%2e%2e/Cargo.toml", "/_api/..%2fCargo.toml", "/public/", "/public/style.css", "/public/../index.html",
    "/public/..%2findex.html", "/public/../../Cargo.toml", "/public/client.js%00.txt", "/assets/", "/assets/../chat.html",
    "/assets/..%2fchat.html", "/assets/%2e%2e%2fchat.html", "/assets/..%5cchat.html", "/assets//etc/passwd",
    "/assets/%2fetc%2fpasswd", "//etc/passwd", "/chat.html", "/index.html", "/Cargo.toml", "/src/room.rs", "/.git/config",
    "/fanfare.db", "/socket.io/../Cargo.toml", "/socket.io/package.json", "/socket.io/socket.io.js/../../package.json",
  ];
  for (const path of paths) {
    const { status, text } = await visitExactly(url, path);
    assert([400, 404].includes(status), `${path}: ${status}`);
    assert(text.length < 200, `${path}: ${text}`);
  }
});

test("the page's own files are there, and may be kept", async (t) => {
  const { url } = await startRoom(t);
  const ann = await Visitor.signedIn(t, url, "Ann");
  const pages = await Promise.all(["/", "/chat"].map(async (path) => (await ann.fetch(path)).text()));
  const assets = new Set(pages.flatMap((page) => page.match(/\/assets\/[\w.-]+/g)));
  assert(assets.size >= 4, [...assets].join());
  for (const path of assets) {
    const answer = await visit(url, path);
    assert.equal(answer.status, 200, path);
    assert.match(answer.headers.get("cache-control"), /immutable/);
    assert.match(answer.headers.get("content-type"), /^(text\/(javascript|css); charset=utf-8|image\/svg\+xml)$/);
  }
});

test("every page keeps scripts, frames and guesses out", async (t) => {
  const { url } = await startRoom(t);
  const ann = await Visitor.signedIn(t, url, "Ann");
  for (const path of ["/", "/chat", "/healthz", "/nothing"]) {
    const { headers } = await ann.fetch(path);
    const policy = headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'/, path);
    assert.match(policy, /frame-ancestors 'none'/, path);
    assert.doesNotMatch(policy, /unsafe|\*|data:|http/, path);
    assert.equal(headers.get("x-content-type-options"), "nosniff", path);
  }
});

test("the official client is served under each of its names, and not sent twice", async (t) => {
  const { url } = await startRoom(t);
  const { version } = JSON.parse(await readFile(new URL("node_modules/socket.io-client/package.json", import.meta.url)));
  const names = ["socket.io.js", "socket.io.min.js", "socket.io.msgpack.min.js", "socket.io.esm.min.js"];
  for (const name of names.flatMap((name) => [name, `${name}.map`])) {
    const answer = await visit(url, `/socket.io/${name}?x=1`);
    assert.equal(answer.status, 200, name);
    assert.equal(answer.headers.get("etag"), `"${version}"`, name);
    assert((await answer.text()).length > 10_000, name);
    for (const etag of [`"${version}"`, `W/"${version}"`]) {
      assert.equal((await visit(url, `/socket.io/${name}`, { headers: { "if-none-match": etag } })).status, 304, name);
    }
  }
});

test("/healthz says ok to anybody", async (t) => {
  const { url } = await startRoom(t);
  const answer = await visit(url, "/healthz");
  assert.equal(answer.status, 200);
  assert.equal((await answer.text()).trim(), "ok");
});

test("another name in the same browser ends the pages under the old one", async (t) => {
  const { url } = await startRoom(t);
  const ann = await Visitor.signedIn(t, url, "Ann");
  const tab = await ann.enters();
  const answer = await signIn(url, "Anna", { cookie: ann.cookie });
  assert.equal(answer.status, 303);
  await tab.until(() => `the end; ${tab}`, () => tab.disconnects.includes("io server disconnect"));
  const late = Client.open(t, url, { extraHeaders: { cookie: ann.cookie } });
  assert.match((await late.failure()).message, /not signed in/);
});

/** The form again, with the reason in it, and no cookie. */
async function refused(answer, why) {
  const page = await answer.text();
  assert(answer.status >= 400 && answer.status < 500, `${answer.status}: ${page}`);
  assert.match(page, /<form method="post" action="\/guest">/);
  const [, wrong] = /role="alert">([^<]*)</.exec(page) ?? [];
  assert.match(wrong, why);
  assert.equal(cookieOf(answer), undefined);
  return page;
}

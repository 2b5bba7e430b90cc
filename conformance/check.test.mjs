//! `fanfare check`: what it says of servers that are right, of servers that are wrong, and where it can't tell.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Server } from "socket.io";
import { Client, WAYS } from "./lib/client.mjs";
import { PAGE, offer, urlOf } from "./lib/offer.mjs";
import { Program, addresses, binary, startExample, startRoom } from "./lib/program.mjs";
import { Visitor } from "./lib/visitor.mjs";

/** More than any check here takes. */
const CHECK_MS = 120_000;

const PASSED = { polling: "passed", websocket: "passed", upgraded: "passed" };
const FAILED = { polling: "failed", websocket: "failed", upgraded: "failed" };

/** What `fanfare check` finds out. */
async function check(t, url, ...args) {
  const program = new Program(t, binary(), ["check", url, "--json", ...args]);
  const { code } = await program.exit(CHECK_MS);
  const report = JSON.parse(program.output.replace(/^error: .*\n/, ""));
  const verdicts = Object.fromEntries(report.sections.map(({ section, verdict }) => [section, verdict]));
  const steps = report.sections.flatMap(({ steps }) => steps);
  assert.equal(code, { passed: 0, failed: 1, inconclusive: 2 }[report.verdict], `${program}`);
  return { ...report, code, verdicts, steps, wrong: steps.filter(({ verdict }) => verdict !== "passed"), program };
}

/** What `fanfare check` says to people. */
async function words(t, ...args) {
  const program = new Program(t, binary(), ["check", ...args]);
  const { code } = await program.exit(CHECK_MS);
  return { code, output: program.output, program };
}

/** A program of the lesson, on Node. */
async function startLesson(t, name) {
  const file = fileURLToPath(new URL(`servers/${name}.mjs`, import.meta.url));
  const program = new Program(t, process.execPath, [file]);
  return program.until(() => `the address of ${program}`, () => addresses(program)[0]);
}

/** A Socket.IO server on Node, made by `build`, that offers these texts. */
async function startNode(t, build, { texts, ...options } = {}) {
  const http = await offer(texts);
  const io = new Server(http, options);
  build(io);
  t.after(() => {
    io.close();
    http.closeAllConnections();
  });
  return urlOf(http);
}

/** Tells everyone in `nsp` how many they are, with `wrong` more or fewer than that. */
function counting(nsp, { event = "user count", wrong = () => 0, isGone = () => true } = {}) {
  let users = 0;
  nsp.on("connection", (socket) => {
    users += 1;
    nsp.emit(event, users + wrong());
    socket.on("disconnect", (reason) => {
      if (isGone(reason)) users -= 1;
      nsp.emit(event, users + wrong());
    });
  });
}

test("the lesson's program on Node does what the lesson says, and does not count down", async (t) => {
  const url = await startLesson(t, "lesson");

  const lesson = await check(t, url, "--lesson");
  assert.deepEqual(lesson.verdicts, { says: "passed", does: "passed" });

  const { verdicts, wrong } = await check(t, url, "--timeout", "2");
  assert.deepEqual(verdicts, FAILED);
  for (const { action, finding, expected, shown } of wrong) {
    assert.equal(action, "client 5 leaves");
    assert.match(finding, /no 'disconnect' handler counts down/);
    assert.deepEqual(shown.map(({ shown }) => shown - expected), [1, 1, 1, 1]);
  }
});

test("the lesson's program on Node, with its next step, is right in both ways", async (t) => {
  const url = await startLesson(t, "next");
  const { verdicts, steps } = await check(t, url);
  assert.deepEqual(verdicts, PASSED);
  const actions = steps.slice(0, 9).map(({ action }) => action.replace("client ", ""));
  assert.deepEqual(actions, [
    ...["1 comes", "2 comes", "3 comes", "4 comes", "5 comes"],
    ...["5 leaves", "4 is cut off", "3 leaves", "2 leaves"],
  ]);
  assert.deepEqual((await check(t, url, "--lesson")).verdicts, { says: "passed", does: "passed" });
});

test("the example lesson does what the lesson says, and does not count down", async (t) => {
  const { url } = await startExample(t, "lesson");
  assert.deepEqual((await check(t, url, "--lesson")).verdicts, { says: "passed", does: "passed" });
  const { verdicts, wrong } = await check(t, url, "--timeout", "2", "--over", "websocket");
  assert.deepEqual(verdicts, { websocket: "failed" });
  assert.match(wrong[0].finding, /no 'disconnect' handler counts down/);
});

test("the example count is right", async (t) => {
  const { url } = await startExample(t, "count");
  assert.deepEqual((await check(t, url)).verdicts, PASSED);
});

test("the room is right, once its guests are signed in", async (t) => {
  const { url } = await startRoom(t);
  assert.deepEqual((await check(t, url, "--guest")).verdicts, PASSED);
  assert.deepEqual((await check(t, url, "--guest", "--lesson")).verdicts, { says: "passed", does: "passed" });

  const { cookie } = await Visitor.signedIn(t, url, "Ann");
  assert.deepEqual((await check(t, url, "--cookie", cookie, "--clients", "3")).verdicts, PASSED);
});

test("a refused socket is one sentence that names --guest and --cookie", async (t) => {
  const { url } = await startRoom(t);
  const { code, output } = await words(t, url);
  assert.equal(code, 2);
  const [error, ...more] = output.split("\n").filter((line) => line.startsWith("error: "));
  assert.match(error, /refused.*--guest.*--cookie/);
  assert.deepEqual(more, []);
});

test("a server that says the right thing and does nothing fails only 'does'", async (t) => {
  const texts = { "/_api/server.js": "io.emit('user count', currentUsers);", "/public/client.js": PAGE };
  const url = await startNode(t, () => {}, { texts });
  const { verdicts, wrong } = await check(t, url, "--lesson", "--timeout", "1");
  assert.deepEqual(verdicts, { says: "passed", does: "failed" });
  assert.match(wrong[0].finding, /client 1 is shown nothing after 1 s.*'user count'/);
});

test("a server that is right and does not say so fails only 'says'", async (t) => {
  const missing = await check(t, await startNode(t, counting), "--lesson");
  assert.deepEqual(missing.verdicts, { says: "failed", does: "passed" });
  assert.deepEqual(missing.wrong.map(({ finding }) => finding), Array(3).fill("source not offered"));

  const texts = { "/_api/server.js": "let current_users = 0;", "/public/client.js": PAGE };
  const other = await check(t, await startNode(t, counting, { texts }), "--lesson");
  assert.deepEqual(other.verdicts, { says: "failed", does: "passed" });
  assert.deepEqual(other.wrong.map(({ finding }) => finding), [
    "nothing in it matches /currentUsers/gi",
    `nothing in it matches /io.emit.*('|")user count('|").*currentUsers/gi`,
  ]);
});

test("people who are there already are counted in", async (t) => {
  const url = await startNode(t, counting);
  for (let n = 0; n < 2; n += 1) await Client.connected(t, url, WAYS.websocket);
  const { verdicts, steps } = await check(t, url, "--clients", "3");
  assert.deepEqual(verdicts, PASSED);
  assert.equal(steps[0].finding, "is shown 3: 2 others are counted");
});

/** A server at which somebody else comes with the sockets of these numbers, counted from the start. */
function visited(...arrivals) {
  let sockets = 0;
  let others = 0;
  return (io) => {
    io.use((_, next) => {
      sockets += 1;
      if (arrivals.includes(sockets)) others += 1;
      next();
    });
    counting(io, { wrong: () => others });
  };
}

test("somebody who comes once meanwhile costs one repetition", async (t) => {
  const { verdicts, wrong } = await check(t, await startNode(t, visited(2)), "--over", "websocket");
  assert.deepEqual(verdicts, { websocket: "passed" });
  assert.deepEqual(wrong.map(({ action, verdict }) => [action, verdict]), [["client 2 comes", "inconclusive"]]);
});

test("where others keep coming the check is inconclusive", async (t) => {
  const { code, verdicts } = await check(t, await startNode(t, visited(2, 5, 9)), "--over", "websocket");
  assert.deepEqual([code, verdicts], [2, { websocket: "inconclusive" }]);
});

test("a server that counts wrong in the same way each time fails", async (t) => {
  let users = 0;
  const url = await startNode(t, (io) => io.on("connection", () => io.emit("user count", (users += 2))));
  const { verdicts, wrong } = await check(t, url, "--over", "polling");
  assert.deepEqual(verdicts, { polling: "failed" });
  assert.match(wrong[0].finding, /^client \d is shown 4 where 3 was expected$/);
});

test("who is cut off has to be missed", async (t) => {
  const isGone = (reason) => reason === "client namespace disconnect";
  const url = await startNode(t, (io) => counting(io, { isGone }), { pingInterval: 300, pingTimeout: 200 });
  const { verdicts, wrong } = await check(t, url, "--timeout", "2", "--over", "websocket");
  assert.deepEqual(verdicts, { websocket: "failed" });
  assert.equal(wrong[0].action, "client 4 is cut off");
  assert.match(wrong[0].finding, /after 2\.5 s.*who is cut off stays counted/);
});

/** A network that keeps the server's end of a connection open when the client's is gone. */
async function muffled(t, url) {
  const { port } = new URL(url);
  const ends = new Set();
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    for (const [end, other] of [[client, upstream], [upstream, client]]) {
      ends.add(end);
      end.on("data", (data) => other.write(data)).on("error", () => {});
    }
    upstream.on("end", () => client.end()).on("close", () => client.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const end of ends) end.destroy();
  });
  return urlOf(server);
}

test("a server that learns of a loss by its pings alone has their time, which is told beforehand", async (t) => {
  const url = await muffled(t, await startNode(t, counting, { pingInterval: 700, pingTimeout: 500 }));
  // Without polling: there, the reference holds its process for 30 s after such a loss.
  const { code, output, program } = await words(t, url, "--timeout", "3", "--over", "websocket,upgraded");
  assert.equal(code, 0, `${program}`);
  const told = /client 4 is cut off next, without a goodbye; the server may take 1\.2 s to miss it/g;
  assert.equal(output.match(told).length, 2);
  for (const [, seconds] of output.matchAll(/([\d.]+) s {2}client 4 is cut off: the other 3 are shown 3/g)) {
    assert(Number(seconds) >= 0.4, `${program}`);
  }
});

test("the event, path, namespace, auth and cookie can be named", async (t) => {
  const build = (io) => {
    const nsp = io.of("/live");
    nsp.use(({ handshake: { auth, headers } }, next) => {
      next(auth.token === "t" && headers.cookie === "a=b" ? undefined : new Error("who are you?"));
    });
    counting(nsp, { event: "here" });
  };
  const url = await startNode(t, build, { path: "/ws" });
  const named = ["--event", "here", "--path", "/ws", "--namespace", "/live", "--cookie", "a=b"];
  assert.deepEqual((await check(t, url, ...named, "--auth", '{"token":"t"}')).verdicts, PASSED);

  const { code, stopped } = await check(t, url, ...named, "--auth", "{}");
  assert.equal(code, 2);
  assert.match(stopped, /refused the socket, 'who are you\?'/);
});

test("a number that is none is shown as it is", async (t) => {
  const url = await startNode(t, (io) => io.on("connection", () => io.emit("user count", "one")));
  const { verdicts, wrong } = await check(t, url, "--over", "websocket");
  assert.deepEqual(verdicts, { websocket: "failed" });
  assert.equal(wrong[0].finding, 'client 1 is shown "one", which is no number of people');
});

test("a transport that is not offered fails alone", async (t) => {
  const url = await startNode(t, counting, { transports: ["websocket"] });
  const { verdicts, wrong } = await check(t, url);
  assert.deepEqual(verdicts, { polling: "failed", websocket: "passed", upgraded: "failed" });
  assert.match(wrong[0].finding, /answered with status 400: Transport unknown/);

  const polled = await check(t, await startNode(t, counting, { transports: ["polling"] }), "--timeout", "2");
  assert.deepEqual(polled.verdicts, { polling: "passed", websocket: "failed", upgraded: "failed" });
  assert.match(polled.wrong[1].finding, /still on polling after 2 s/);
});

test("a client that is put out is noticed", async (t) => {
  const sockets = [];
  const url = await startNode(t, (io) => {
    io.on("connection", (socket) => {
      sockets.push(socket);
      if (sockets.length === 3) sockets[1].disconnect();
      else io.emit("user count", sockets.length);
    });
  });
  const { verdicts, wrong } = await check(t, url, "--over", "websocket");
  assert.deepEqual(verdicts, { websocket: "failed" });
  assert.match(wrong[0].finding, /client 2 lost its connection: io server disconnect/);
});

test("where there is no Socket.IO server, a sentence says so and the exit code is 2", async (t) => {
  const http = await offer();
  const url = urlOf(http);
  const { code, output } = await words(t, url);
  assert.equal(code, 2);
  assert.match(output, /error: no Socket\.IO server is reached at http:.*404/);

  http.close();
  await once(http, "close");
  const gone = await words(t, url);
  assert.equal(gone.code, 2);
  assert.match(gone.output, /error: no Socket\.IO server is reached at http:.*no connection/);
  assert.match((await words(t, url, "--guest")).output, /error: http:.* could not be asked for \/guest/);
  assert.match((await words(t, url, "--lesson")).output, /error: http:.* could not be asked for \/_api\/server\.js/);
});

test("a server that signs nobody in is told so", async (t) => {
  const { code, output } = await words(t, await startNode(t, counting), "--guest");
  assert.equal(code, 2);
  assert.match(output, /error: http:.* did not sign a guest in: POST \/guest was answered with 404/);
});

const REFUSED = [
  [["https://example.org"], /https is not spoken yet/],
  [["127.0.0.1:3000"], /looks like http:\/\/127\.0\.0\.1:3000/],
  [["http://127.0.0.1:3000/chat"], /a path or query does not belong to it/],
  [["http://127.0.0.1:3000", "--clients", "2"], /2 is not in 3\.\.=1000/],
  [["http://127.0.0.1:3000", "--auth", "t"], /a JSON object is needed/],
  [["http://127.0.0.1:3000", "--namespace", "live"], /a namespace begins with '\/'/],
  [["http://127.0.0.1:3000", "--path", "live"], /a path is needed/],
  [["http://127.0.0.1:3000", "--timeout", "0"], /seconds are needed/],
  [["http://127.0.0.1:3000", "--over", "pigeon"], /polling, websocket, upgraded/],
  [["http://127.0.0.1:3000", "--guest", "--cookie", "a=b"], /--guest.*cannot be used with.*--cookie/],
];

for (const [args, named] of REFUSED) {
  test(`'check ${args.join(" ")}' is refused with what is wrong, and exit code 2`, async (t) => {
    const { code, output } = await words(t, ...args);
    assert.equal(code, 2);
    assert.match(output, named);
  });
}

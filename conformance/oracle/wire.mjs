//! Requests, and what of an answer is compared.

import { createHash } from "node:crypto";
import http from "node:http";
import { gunzipSync } from "node:zlib";
import { within } from "../lib/deadline.mjs";

/** Headers of answers that mean something to clients. What is left out is the HTTP library's own: how a body is framed, and when it was sent. */
const HEADERS = [
  /^access-control-/,
  /^cache-control$/,
  /^content-encoding$/,
  /^content-type$/,
  /^etag$/,
  /^sec-websocket-/,
  /^set-cookie$/,
  /^upgrade$/,
  /^vary$/,
  /^x-/,
];

/** What the server answers: status, headers and body; and a socket after 101. */
export async function request(url, options = {}) {
  return within(send(url, options).answer, () => `an answer to ${options.method ?? "GET"} ${url}`);
}

/** A request that is on its way: `answer` comes some time, and `sent` is resolved when its bytes are with the kernel. */
export function send(url, { method = "GET", headers = {}, body } = {}) {
  const request = http.request(url, { method, headers, agent: false });
  const answer = new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => readWhole(response).then(resolve, reject));
    request.on("upgrade", (response, socket, head) => resolve({ ...outline(response), socket, head }));
  });
  const sent = new Promise((resolve) => request.on("finish", resolve));
  answer.catch(() => {});
  request.end(body);
  return { answer, sent, abandon: () => request.destroy() };
}

/** A post whose body is not yet whole, when the server has begun to read it; and, in words, how it ends. */
export async function beginPost(url, headers = {}) {
  const request = http.request(url, { method: "POST", headers: { ...headers, expect: "100-continue" }, agent: false });
  const ended = new Promise((resolve) => {
    request.on("error", () => resolve("the connection ends"));
    request.on("response", (response) => readWhole(response).then(({ status, body }) => resolve(`${status} ${body}`), () => resolve("the connection ends")));
  });
  request.flushHeaders();
  await within(new Promise((resolve) => request.on("continue", resolve)), `the server to read the body for ${url}`);
  return { ended, request };
}

async function readWhole(response) {
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const whole = response.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes;
  return { ...outline(response), body: written(whole, response.headers["content-type"]) };
}

function outline({ statusCode, headers }) {
  const compared = Object.entries(headers).filter(([name]) => HEADERS.some((pattern) => pattern.test(name)));
  return { status: statusCode, headers: Object.fromEntries(compared) };
}

/** Longer bodies are compared by their hash. */
const LONG_BYTES = 4_000;

/** Bytes as the transcript has them: text as it is, all else in hexadecimal. */
function written(bytes, type) {
  if (bytes.length > LONG_BYTES) return `sha256 ${createHash("sha256").update(bytes).digest("hex")}`;
  return type === "application/octet-stream" ? `bytes ${bytes.toString("hex")}` : bytes.toString();
}

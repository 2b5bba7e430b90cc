//! Polls and posts: how packets are framed, and what is no payload.

import { within } from "../../lib/deadline.mjs";
import { exchange } from "../exchange.mjs";
import { beginPost, request } from "../wire.mjs";

/** Bodies that are no payload. */
const BROKEN = {
  "no body": "",
  "a packet of no type": "abc",
  "an empty packet at the end": '42["echo"]\x1e',
  "an empty packet between two": '42["echo"]\x1e\x1e42["echo"]',
  "a ping, which is the server's to send": "2",
};

/** Packets that change nothing. */
const IGNORED = { "an open packet": "0", "an upgrade packet": "5", "a noop": "6", "a pong that nobody waits for": "3" };

export const POLLING = [
  exchange("plain", "packets are framed by a separator", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('42["echo","é€😀"]\x1e421["echo",1]\x1e42["many",2]');
    await ann.hears(4);
  }),
  exchange("plain", "a poll brings all that waits", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('42["many",3]');
    await ann.poll();
  }),
  exchange("plain", "a poll that waits is answered by what comes", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const poll = await ann.wait();
    await ann.post('42["echo",1]');
    await poll();
  }),
  exchange("plain", "binary data is base64", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('451-["echo",{"_placeholder":true,"num":0}]\x1ebAQID/w==');
    await ann.hears(2);
    await ann.post('42["binary"]');
    await ann.hears(4);
  }),
  exchange("plain", "base64 of other kinds is read too", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('451-["echo",{"_placeholder":true,"num":0}]\x1ebAQID_w');
    await ann.hears(2);
  }),
  exchange("plain", "two polls at once", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const poll = () => request(x.address(ann.target));
    const answers = await Promise.all([poll(), poll()]);
    answers.sort((one, other) => one.status - other.status).forEach((answer) => x.answered(x.step("GET"), answer));
    await x.told(3);
    await ann.poll();
  }),
  exchange("plain", "two posts at once", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const first = await beginPost(x.address(ann.target));
    await ann.post('42["echo"]');
    x.note("the first post", await within(first.ended, "the end of the first post"));
    first.request.destroy();
    await x.told(3);
    await ann.poll();
  }),
  exchange("plain", "a post that is broken off", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const poll = await ann.wait();
    const post = await beginPost(x.address(ann.target));
    post.request.destroy();
    await poll();
    await x.told(3);
  }),
  exchange("plain", "a poll that is broken off", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    (await ann.wait()).abandon();
    await x.told(3);
    await ann.poll();
  }),
  exchange("narrow", "a body above the limit", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post(`42["note","${"x".repeat(88)}"]`);
    await ann.post(`42["note","${"x".repeat(87)}"]`);
    await x.told(2);
  }),
  exchange("plain", "a body of bytes", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('42["echo"]', { headers: { "content-type": "application/octet-stream" } });
    await x.told(3);
    await ann.poll();
  }),
  exchange("plain", "a body that is not UTF-8", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post(Buffer.concat([Buffer.from('42["echo","'), Buffer.from([0xff]), Buffer.from('"]')]));
    await ann.hears(1);
  }),
  exchange("plain", "a body that says it is JSON", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('42["echo"]', { headers: { "content-type": "application/json" } });
    await ann.hears(1);
  }),
  ...Object.entries(BROKEN).map(([what, body]) =>
    exchange("plain", `a body with ${what}`, async (x) => {
      const ann = await x.polling();
      await ann.joins();
      await ann.post(body);
      await x.told(3);
      await ann.poll();
    }),
  ),
  exchange("plain", "a broken body with a poll that waits", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const poll = await ann.wait();
    await ann.post("abc");
    await poll();
    await x.told(3);
  }),
  ...Object.entries(IGNORED).map(([what, packet]) =>
    exchange("plain", `${what} is passed over on polling`, async (x) => {
      const ann = await x.polling();
      await ann.joins();
      await ann.post(`${packet}\x1e42["echo",1]`);
      await ann.hears(1);
    }),
  ),
  exchange("plain", "a client that closes its session", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    const poll = await ann.wait();
    await ann.post("1");
    await poll();
    await x.told(3);
    await ann.poll();
  }),
  exchange("plain", "a client that leaves and goes on polling", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post("41");
    await x.told(3);
    await ann.joins();
  }),
  ...["PUT", "DELETE", "OPTIONS", "PATCH"].map((method) =>
    exchange("plain", `${method} for a session`, async (x) => {
      const ann = await x.polling();
      await ann.joins();
      await ann.ask(method);
      await ann.post('42["echo"]');
      await ann.hears(1);
    }),
  ),
  exchange("plain", "an old browser's filter is turned off", async (x) => {
    const headers = { "user-agent": "Mozilla/5.0 (compatible;MSIE 10.0; Trident/6.0)" };
    const ann = await x.polling({ headers });
    await ann.post("40", { headers });
    await ann.poll({ headers });
  }),
  exchange("plain", "a long answer is compressed if the client can", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('42["large"]');
    await ann.poll({ headers: { "accept-encoding": "br, gzip" } });
  }),
  exchange("plain", "a short answer is not compressed", async (x) => {
    const ann = await x.polling();
    await ann.joins();
    await ann.post('42["echo"]');
    await ann.poll({ headers: { "accept-encoding": "gzip" } });
  }),
];

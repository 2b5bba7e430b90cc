//! Where fanfare differs on purpose. Each entry: the title of the paragraph in docs/compatibility.md that says why, the exchange in which
//! it shows, and of each field that differs what the reference says and what fanfare does.

import { ABSENT } from "./compare.mjs";
import { FILES } from "./script/pages.mjs";

const JSON_TYPE = "application/json";
const PAYLOAD_TYPE = "text/plain; charset=UTF-8";
const OPEN = '0{"sid":"<sid 1>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}';
const OPEN_ON_WEBSOCKET = OPEN.replace('"websocket"', "").replace("<sid 1>", "<sid 4>");
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const NOT_LISTED = "origin http://stranger.example may not connect; the server's setting `origins` lists those that may";
const FORBIDDEN = JSON.stringify({ code: 4, message: NOT_LISTED });

/** A session on polling that is not opened for a foreign page. */
const NO_POLLING = {
  "1 GET: status": [200, 403],
  "1 GET: content-type": [PAYLOAD_TYPE, JSON_TYPE],
  "1 GET: cache-control": ["no-store", ABSENT],
  "1 GET: body": [OPEN, FORBIDDEN],
};

/** A WebSocket that is refused, and with which words. */
function noWebSocket(words) {
  return {
    "1 GET for a WebSocket: status": [101, 400],
    "1 GET for a WebSocket: upgrade": ["websocket", ABSENT],
    "1 GET for a WebSocket: sec-websocket-accept": [ACCEPT, ABSENT],
    "1 GET for a WebSocket: content-type": [ABSENT, "text/html"],
    "1 GET for a WebSocket: body": [ABSENT, words],
  };
}

/** What the reference tells of a step even if no page may read its answer. */
function moreOfCors(step) {
  return {
    [`${step}: access-control-allow-credentials`]: ["true", ABSENT],
    [`${step}: access-control-expose-headers`]: ["x-more", ABSENT],
  };
}

const LEFT = [
  ["disconnecting", "/", "client namespace disconnect", []],
  ["disconnect", "/", "client namespace disconnect"],
];
const CAME = ["connection", "/", false];
const NOTED = ["note", "1", []];

const LISTED = [
  {
    title: "origins",
    exchange: "a foreign page polls",
    fields: NO_POLLING,
  },
  {
    title: "origins",
    exchange: "a foreign page opens a WebSocket",
    fields: noWebSocket(NOT_LISTED),
  },
  {
    title: "origins",
    exchange: "a page that is not listed",
    fields: { ...NO_POLLING, ...moreOfCors("1 GET") },
  },
  {
    title: "origins",
    exchange: "a page that is not listed opens a WebSocket",
    fields: { ...noWebSocket(NOT_LISTED), ...moreOfCors("1 GET for a WebSocket") },
  },
  {
    title: "origins",
    exchange: "a preflight of a page that is not listed",
    fields: {
      "1 OPTIONS: status": [204, 403],
      "1 OPTIONS: vary": ["Origin, Access-Control-Request-Headers", "Origin"],
      "1 OPTIONS: access-control-allow-methods": ["GET,HEAD,PUT,PATCH,POST,DELETE", ABSENT],
      "1 OPTIONS: access-control-allow-headers": ["content-type,x-own", ABSENT],
      "1 OPTIONS: access-control-max-age": ["60", ABSENT],
      "1 OPTIONS: content-type": [ABSENT, JSON_TYPE],
      "1 OPTIONS: body": ["", FORBIDDEN],
      ...moreOfCors("1 OPTIONS"),
    },
  },
  {
    title: "origins",
    exchange: "a page of no origin",
    fields: { ...moreOfCors("1 GET"), ...moreOfCors("2 POST"), ...moreOfCors("3 GET") },
  },
  {
    title: "a second CONNECT",
    exchange: "CONNECT while the middleware has not decided",
    fields: {
      "3 ann hears": [['40/chat,{"sid":"<sid 2>"}'], []],
      "4 ann's end": [ABSENT, "close 1005"],
    },
  },
  {
    title: "sockets of a closing connection",
    exchange: "who has broken the protocol on polling is not asked",
    fields: { "9 ben hears": [['42["answers",[],true]'], ['42["answers",[],false]']] },
  },
  {
    title: "events right before a disconnect",
    exchange: "DISCONNECT right after an event",
    fields: {
      "3 the application, of ann": [[CAME, ...LEFT], [CAME, NOTED, ...LEFT]],
    },
  },
  {
    title: "odd packets",
    exchange: "blanks where an id may stand",
    fields: { "3 ann hears": [["430[1]"], ['42["echo",1]']] },
  },
  {
    title: "taking over a session",
    exchange: "a session of WebSocket is taken over",
    fields: { "5 ann hears": [["3probe"], []], "6 ann's end": [ABSENT, "close 1005"] },
  },
  {
    title: "two posts at once",
    exchange: "two posts at once",
    fields: {
      "the first post": ["the connection ends", '400 {"code":1,"message":"Session ID unknown"}'],
    },
  },
  {
    title: "versions of WebSocket",
    exchange: "a WebSocket with an old version",
    fields: { "1 GET: sec-websocket-version": ["13, 8", "13"] },
  },
  {
    title: "recovery",
    exchange: "coming back twice",
    fields: {
      "8 eve hears": [
        [OPEN_ON_WEBSOCKET, '40{"sid":"<sid 2>","pid":"<pid 1>"}'],
        [OPEN_ON_WEBSOCKET, '40{"sid":"<sid 5>","pid":"<pid 2>"}'],
      ],
    },
  },
  {
    title: "JSONP",
    exchange: "JSONP without older clients",
    fields: { "1 GET: body": [`___eio[3](${JSON.stringify(OPEN)});`, OPEN] },
  },
  {
    title: "queries of older clients",
    exchange: "a query is auth",
    fields: { "4 ann hears": [['43/chat,1[{"token":"1","list":"a"}]'], ['43/chat,1[{"list":"a","token":"1"}]']] },
  },
  {
    title: "EIO 3 on WebSocket",
    exchange: "code 5 for a WebSocket: protocol 3",
    fields: {
      ...noWebSocket("Unsupported protocol version"),
      "3 ann hears": [[], ABSENT],
      "4 ann's end": ["no WebSocket: Invalid WebSocket frame: RSV1 must be clear", ABSENT],
    },
  },
  {
    title: "an event that middleware refuses",
    exchange: "an event that middleware refuses, and that wants an answer",
    fields: { "3 ann hears": [["43999[]"], ['435[{"error":"not this"}]', "43999[]"]] },
  },
  {
    title: "volatile events",
    exchange: "several volatile events at once",
    fields: { "3 ann hears": [['42["maybe",1]', "43999[]"], ['42["maybe",1]', '42["maybe",2]', "43999[]"]] },
  },
  ...FILES.map((file) => ({
    title: "compression",
    exchange: `the client's file ${file}`,
    fields: { "1 GET: vary": [ABSENT, "Accept-Encoding"] },
  })),
  {
    title: "compression",
    exchange: "a client's file that the browser has",
    fields: { "1 GET: vary": [ABSENT, "Accept-Encoding"], "4 GET: vary": [ABSENT, "Accept-Encoding"] },
  },
  {
    title: "compression",
    exchange: "a client's file is compressed",
    fields: { "1 GET: vary": [ABSENT, "Accept-Encoding"] },
  },
];

/** Each field that differs on purpose. */
export const DEVIATIONS = LISTED.flatMap(({ title, exchange, fields }) =>
  Object.entries(fields).map(([field, [reference, fanfare]]) => ({ title, exchange, field, reference, fanfare })),
);

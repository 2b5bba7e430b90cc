//! A network between client and server, for things that only a network does: to hold back, and to break.

import { once } from "node:events";
import { connect, createServer } from "node:net";
import { Watched } from "./deadline.mjs";

export class Network extends Watched {
  /** Where clients find the server. */
  url;
  #port;
  #wires = new Set();
  /** Set while WebSockets are held back: what lets them go on. */
  #held;
  #isDown = false;
  #change = (answer) => answer;

  /** A network to the server at `url`. It is gone when the test ends. */
  static async to(t, url) {
    const network = new Network();
    network.#port = Number(new URL(url).port);
    const server = createServer((client) => network.#lay(client)).listen(0, "127.0.0.1");
    await once(server, "listening");
    network.url = `http://127.0.0.1:${server.address().port}`;
    t.after(() => {
      server.close();
      network.cut();
    });
    return network;
  }

  /** Holds handshakes of WebSockets back from now on, until what it returns is called. */
  holdWebSockets() {
    this.#held = [];
    return () => {
      const held = this.#held;
      this.#held = undefined;
      held.forEach((go) => go());
    };
  }

  /** Does `change` to the bytes of everything that the server says from now on. */
  changeAnswers(change) {
    this.#change = change;
  }

  /** Waits until the server has a request to answer, or a WebSocket. */
  async isUsed() {
    await this.until("a request without an answer, or a WebSocket", () => [...this.#wires].some(({ use }) => use !== "none"));
  }

  /** Ends every connection without a word of any protocol. */
  cut() {
    for (const { ends } of this.#wires) ends.forEach((end) => end.destroy());
    this.#wires.clear();
  }

  /** The same, and nobody gets through before `mend`. Browsers ask again when a connection ends without an answer. */
  break() {
    this.#isDown = true;
    this.cut();
  }

  mend() {
    this.#isDown = false;
  }

  #lay(client) {
    if (this.#isDown) {
      client.destroy();
      return;
    }
    const server = connect(this.#port, "127.0.0.1");
    const wire = { ends: [client, server], use: "none" };
    this.#wires.add(wire);
    client.on("data", (data) => {
      const go = () => server.write(data, () => this.#request(wire, data));
      if (this.#held && data.includes("transport=websocket")) this.#held.push(go);
      else go();
    });
    server.on("data", (data) => {
      if (wire.use === "request") wire.use = "none";
      client.write(this.#change(data));
    });
    for (const [end, other] of [[client, server], [server, client]]) {
      end.on("error", () => {});
      end.on("end", () => other.end());
      end.on("close", () => {
        other.destroy();
        this.#wires.delete(wire);
      });
    }
  }

  #request(wire, data) {
    if (data.includes("transport=websocket")) wire.use = "websocket";
    else if (data.toString("latin1").startsWith("GET ")) wire.use = "request";
    this.changed();
  }
}

import type { Socket } from "socket.io-client";
import { socket } from "/public/client.js";
import { onFrame, showConnection } from "./connection.js";
import { showCount, showFrame, showLastKnown } from "./count.js";
import { byId } from "./page.js";
import { showPerson, showUsers } from "./people.js";
import { sendFrom, showComing, showMessage } from "./talk.js";
import type { FromServer, ToServer } from "./wire.js";

const COUNT_FRAME = '42["user count",';

const room: Socket<FromServer, ToServer> = socket;

room.on("user count", showCount);
room.on("users", showUsers);
room.on("user", (person) => {
  showPerson(person);
  showComing(person);
});
room.on("chat message", showMessage);
room.on("disconnect", showLastKnown);

onFrame(socket, (text) => {
  if (text.startsWith(COUNT_FRAME)) showFrame(text);
});
showConnection(socket);
sendFrom(room);

byId("open-window").addEventListener("click", () => {
  window.open("/chat", "_blank", "noopener,popup,width=560,height=860");
});

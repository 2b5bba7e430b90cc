import { socket } from "/public/client.js";
import { expectComings, ignoreComings, showComing } from "./comings.js";
import { noteServer, onFrame, showConnection } from "./connection.js";
import { showCount, showFrame, showLastKnown } from "./count.js";
import { deleteFrom } from "./deleting.js";
import { catchUp, forget, hear, keepHistory } from "./history.js";
import { offerInvitation } from "./invitation.js";
import { showOwn } from "./log.js";
import { type Room, byId } from "./page.js";
import { askForPeople, showChange, showPerson, showUsers } from "./people.js";
import { plotCount, plotHistory, plotLoss } from "./plot.js";
import { sendFrom } from "./say.js";
import { showTyping, tellTyping } from "./typing.js";
import { isYou, showYou, you } from "./you.js";

const COUNT_FRAME = '42["user count",';

const room: Room = socket;

room.on("user count", (count) => {
  showCount(count);
  plotCount(count);
});
room.on("users", (users) => {
  showYou(users.you);
  showUsers(users);
  showOwn();
  const server = noteServer(users);
  expectComings(server);
  void catchUp(server);
  void plotHistory(room);
});
room.on("user", (change) => {
  showChange(change);
  showComing(change);
});
room.on("tabs", showPerson);
room.on("renamed", (who) => {
  if (you !== undefined && isYou(who.id)) showYou({ ...you, name: who.name });
  showPerson(who);
});
room.on("chat message", hear);
room.on("message deleted", ({ id }) => forget(id));
room.on("typing", showTyping);
room.on("disconnect", () => {
  showLastKnown();
  plotLoss();
  ignoreComings();
});

onFrame(socket, (text) => {
  if (text.startsWith(COUNT_FRAME)) showFrame(text);
});
showConnection(socket);
keepHistory(room);
askForPeople(room);
deleteFrom(room, forget);
sendFrom(room);
tellTyping(room);
offerInvitation();

byId("open-window").addEventListener("click", () => {
  window.open("/chat", "_blank", "noopener,popup,width=560,height=860");
});

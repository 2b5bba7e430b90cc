import { encode } from "uqr";
import { byId } from "./page.js";

const LOOPBACK = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/;

/** Lets the button show the room's address, also as a picture that a phone's camera reads. */
export function offerInvitation(): void {
  const dialog = byId<HTMLDialogElement>("invitation");
  byId("invitation-address").textContent = `${location.origin}/`;
  byId("invitation-loopback").hidden = !LOOPBACK.test(location.hostname);
  drawCode(byId<SVGSVGElement>("invitation-code"), `${location.origin}/`);
  byId("show-invitation").addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("click", (event) => {
    // What is in the dialog fills it: only its backdrop is the dialog itself.
    if (event.target === dialog) dialog.close();
  });
}

function drawCode(picture: SVGSVGElement, text: string): void {
  const { data, size } = encode(text, { ecc: "M", border: 2 });
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const squares = data.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : "")));
  path.setAttribute("d", squares.join(""));
  picture.setAttribute("viewBox", `0 0 ${size} ${size}`);
  picture.replaceChildren(path);
}

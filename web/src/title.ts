/** The tab's title: the count, and before it what has not been read while the page is out of sight. */

let count = "";
let unread = 0;

export function titleCount(text: string): void {
  count = text;
  render();
}

export function titleUnread(messages: number): void {
  if (messages === unread) return;
  unread = messages;
  render();
}

function render(): void {
  const name = count === "" ? "fanfare" : `${count} · fanfare`;
  document.title = unread === 0 ? name : `(${unread}) ${name}`;
}

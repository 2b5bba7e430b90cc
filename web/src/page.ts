/** The element that chat.html has under this id. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`chat.html has no #${id}`);
  return element as E;
}

/** A new element. What people wrote gets into the page here and only here: as text. */
export function make(tag: keyof HTMLElementTagNameMap, className: string, text: string): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export const grouped = new Intl.NumberFormat("en");

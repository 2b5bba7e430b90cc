/** Rows that are drawn above and below those in view, so that a turn of the wheel does not show a gap. */
const SPARE = 2;

/**
 * A list of any length of which only the items in view are in the document.
 *
 * The style sheet lays the list out as a grid: it alone knows how many columns there are. All rows have the height of
 * the first.
 */
export class Rows {
  #scroller: HTMLElement;
  #list: HTMLElement;
  #length = 0;
  #draw: (item: HTMLLIElement, index: number) => void;
  #frame: number | undefined;

  constructor(list: HTMLElement, draw: (item: HTMLLIElement, index: number) => void) {
    this.#list = list;
    this.#scroller = list.parentElement as HTMLElement;
    this.#draw = draw;
    this.#scroller.addEventListener("scroll", () => this.#schedule(), { passive: true });
    new ResizeObserver(() => this.#schedule()).observe(this.#scroller);
  }

  /** Draws what is in view of a list that is now this long. */
  render(length: number): void {
    this.#length = length;
    const list = this.#list;
    const { gridTemplateColumns, gridAutoRows } = getComputedStyle(list);
    const columns = gridTemplateColumns.split(" ").length;
    const height = Number.parseFloat(gridAutoRows);
    const { scrollTop, clientHeight } = this.#scroller;
    const rows = Math.ceil(length / columns);
    const seen = Math.ceil(clientHeight / height) + 1;
    const first = Math.max(0, Math.min(Math.floor(scrollTop / height), rows - seen) - SPARE);
    const from = first * columns;
    const to = Math.min(length, (first + seen + 2 * SPARE) * columns);

    list.style.height = `${rows * height}px`;
    list.style.paddingTop = `${first * height}px`;
    while (list.childElementCount > to - from) list.lastElementChild?.remove();
    while (list.childElementCount < to - from) list.append(document.createElement("li"));
    for (let index = from; index < to; index += 1) {
      const item = list.children[index - from] as HTMLLIElement;
      item.ariaPosInSet = String(index + 1);
      item.ariaSetSize = String(length);
      this.#draw(item, index);
    }
  }

  #schedule(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.render(this.#length);
    });
  }
}

//! Waiting: for something that happens, never for time to pass, and never for ever.

/** More than any single answer takes on a machine that is busy with other tests. */
export const PATIENCE_MS = 10_000;

/** What `promise` gives, or an error that says what did not happen in time. */
export async function within(promise, what, ms = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${typeof what === "function" ? what() : what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Something that changes, and those who wait until it is as they want it. */
export class Watched {
  #waiting = new Set();

  /** To be called after each change. */
  changed() {
    for (const look of [...this.#waiting]) look();
  }

  /** What `condition` gives, as soon as that is truthy. */
  until(what, condition, ms = PATIENCE_MS) {
    let look;
    const met = new Promise((resolve, reject) => {
      look = () => {
        try {
          const value = condition();
          if (value) resolve(value);
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.add(look);
      look();
    });
    return within(met, what, ms).finally(() => this.#waiting.delete(look));
  }
}

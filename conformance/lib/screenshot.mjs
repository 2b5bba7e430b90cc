//! Pictures of pages: kept beside what was built, and in the documentation if that is asked for.

import { mkdir, writeFile } from "node:fs/promises";

const FOLDERS = [
  new URL("../../target/screenshots/", import.meta.url),
  ...(process.env.FANFARE_SCREENSHOTS === "1" ? [new URL("../../docs/images/", import.meta.url)] : []),
];

/** Writes a picture of what can be seen of the tab. Its size in bytes. */
export async function drawTab({ page }, name) {
  return keep(await page.screenshot({ animations: "disabled", caret: "hide" }), name);
}

/** Writes a picture of the tabs as windows beside each other. Its size in bytes. */
export async function drawWindows(browser, tabs, name) {
  const windows = await Promise.all(
    tabs.map(async ({ page }) => {
      const picture = (await page.screenshot({ animations: "disabled", caret: "hide" })).toString("base64");
      return `<figure><figcaption><i></i><i></i><i></i><b>${await page.title()}</b></figcaption><img src="data:image/png;base64,${picture}"></figure>`;
    }),
  );
  const desk = await browser.context.newPage();
  await desk.setContent(`<style>${STYLE}</style><main>${windows.join("")}</main>`);
  const picture = await desk.locator("main").screenshot({ omitBackground: true });
  await desk.close();
  return keep(picture, name);
}

async function keep(picture, name) {
  for (const folder of FOLDERS) {
    await mkdir(folder, { recursive: true });
    await writeFile(new URL(name, folder), picture);
  }
  return picture.length;
}

const STYLE = `
  body { margin: 0; background: transparent; font: 600 14px system-ui, sans-serif; }
  main { display: inline-flex; gap: 28px; padding: 20px 28px 36px; }
  figure { margin: 0; border-radius: 12px; overflow: hidden; box-shadow: 0 0 0 1px #0003, 0 12px 28px #0004; }
  figcaption { display: flex; align-items: center; gap: 8px; height: 36px; padding: 0 14px; background: #e6dfd2; color: #4d483e; }
  figcaption b { flex: 1; margin-right: 52px; text-align: center; }
  i { width: 11px; height: 11px; border-radius: 50%; background: #bdb3a1; }
  img { display: block; width: 640px; height: 800px; }
`;

/** Says what the application was told, of whom `tag` names. */
export function saw(tag, what) {
  console.log(JSON.stringify({ tag, saw: what }));
}

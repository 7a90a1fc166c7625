// Buttons that put text on the clipboard, and files that are made here.

import { button, el } from "./dom.js";

/** A button that copies text() and says so. label: what it copies, for a screen reader. */
export function copier(label, text) {
  const said = el("span", {}, "Copy");
  const press = async () => {
    said.textContent = (await copied(text())) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => {
      said.textContent = "Copy";
    }, 1500);
  };
  return button([said, el("span", { class: "hidden" }, ` ${label}`)], press, { class: "copy", "aria-live": "polite" });
}

/** Whether the text is on the clipboard. */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedAsTyped(text); // a page that came over plain http has no clipboard
  }
}

function copiedAsTyped(text) {
  const area = el("textarea", { class: "hidden", "aria-hidden": true }, text);
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** Let the reader save a text as a file. */
export function save(name, type, text) {
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

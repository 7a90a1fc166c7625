// The sections of the page, drawn from the state, and what happens when the state changes.

import { remember } from "./address.js";
import { byId } from "./dom.js";
import { state } from "./state.js";

export const views = []; // functions that draw a section
export const followers = []; // functions that draw anew when the selection changes

/** After a change: draw what depends on it (everything unless told), and keep selection and address in line. */
export function changed(draw = refresh) {
  draw();
  highlight();
  remember();
}

/** Draw every section anew. */
function refresh() {
  for (const view of views) view();
}

/** After a change of the selection. */
export function selectionChanged() {
  highlight();
  for (const follow of followers) follow();
  highlight();
  remember();
}

/** Bring every element in line with the selection. A view in which nothing of it stands is left as it is. */
export function highlight() {
  for (const section of document.querySelectorAll("main > section")) {
    const elements = [...section.querySelectorAll("[data-row]")];
    const chosen = (element) => state.selected.has(+element.dataset.row);
    const any = elements.some(chosen);
    for (const element of elements) {
      element.classList.toggle("selected", chosen(element));
      element.classList.toggle("dimmed", any && !chosen(element));
      if (element.matches("button, [role=button]")) element.setAttribute("aria-pressed", chosen(element));
    }
  }
  byId("clear").hidden = !state.selected.size;
}

const sized = []; // functions that draw what depends on the width of its place

/** Draw again what depends on the width of its place. */
export function whenResized(host, draw) {
  sized.push(draw);
  let width = 0;
  new ResizeObserver(() => {
    if (width && host.clientWidth && host.clientWidth !== width) {
      draw();
      highlight();
    }
    width = host.clientWidth;
  }).observe(host);
}

// A sheet of paper is narrower than a window: what depends on the width is drawn for it, and then for the window again.
for (const event of ["beforeprint", "afterprint"]) {
  addEventListener(event, () => {
    document.documentElement.classList.toggle("paper", event === "beforeprint");
    for (const draw of sized) draw();
    highlight();
  });
}

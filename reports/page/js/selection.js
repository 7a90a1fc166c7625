// What belongs to a row carries its id, and selects it when it is pressed.

import { el } from "./dom.js";
import { glyph } from "./marks.js";
import { state } from "./state.js";
import { selectionChanged } from "./views.js";

/** Mark an element as a row's. */
export function belongs(element, row) {
  element.setAttribute("data-row", row.id);
  return element;
}

/** A button in any view that selects the row. */
function selects(element, row) {
  element.addEventListener("click", () => toggle(row.id));
  element.addEventListener("pointerenter", () => hover(row.id, true));
  element.addEventListener("pointerleave", () => hover(row.id, false));
  return element;
}

/** The same for an SVG element, which is no button by itself. */
export function selectsAsButton(element, row, label) {
  for (const [name, value] of Object.entries({ tabindex: 0, role: "button", "aria-label": label })) {
    element.setAttribute(name, value);
  }
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      toggle(row.id);
    }
  });
  return selects(element, row);
}

/** A method's name, which selects it. */
export function methodButton(row) {
  const name = el("button", { type: "button", class: "method" }, glyph(row), el("span", {}, row.method));
  return belongs(selects(name, row), row);
}

function toggle(id) {
  if (!state.selected.delete(id)) state.selected.add(id);
  selectionChanged();
}

function hover(id, on) {
  for (const element of document.querySelectorAll(`[data-row="${id}"]`)) element.classList.toggle("hovered", on);
}

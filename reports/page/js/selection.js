// Selection: what belongs to a row carries its id, and stands out or steps back everywhere at once.

/** Mark an element as a row's. */
function belongs(element, row) {
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
function selectsAsButton(element, row, label) {
  for (const [name, value] of Object.entries({ tabindex: 0, role: "button", "aria-label": label })) element.setAttribute(name, value);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      toggle(row.id);
    }
  });
  return selects(element, row);
}

function toggle(id) {
  if (!state.selected.delete(id)) state.selected.add(id);
  highlight();
  for (const follow of followers) follow();
}

const followers = []; // functions that draw anew when the selection changes

function hover(id, on) {
  for (const element of document.querySelectorAll(`[data-row="${id}"]`)) element.classList.toggle("hovered", on);
}

/** Bring every element in line with the selection. A view in which nothing of it stands is left as it is. */
function highlight() {
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

byId("clear").addEventListener("click", () => {
  state.selected.clear();
  highlight();
  for (const follow of followers) follow();
  byId("text").focus();
});

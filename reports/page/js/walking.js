// Arrow keys walk over the figures of a table, so that it is one stop of the Tab key and every figure can be explained.

/** Let the walk over a table's figures begin at its first. */
export function walkable(table) {
  for (const cell of table.querySelectorAll("tr[data-row] td")) cell.tabIndex = -1;
  table.querySelector("tr[data-row] td")?.setAttribute("tabindex", "0");
}

const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

document.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  const from = event.target.closest("td[tabindex]");
  if (!step || !from) return;
  const lines = [...from.closest("table").querySelectorAll("tr[data-row]")];
  const place = [...from.parentElement.querySelectorAll("td")].indexOf(from);
  const to = lines[lines.indexOf(from.parentElement) + step[0]]?.querySelectorAll("td")[place + step[1]];
  if (!to) return;
  event.preventDefault();
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
});

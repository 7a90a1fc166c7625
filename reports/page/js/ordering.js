// The leaderboard's order: the report's own, or by a column.

import { el } from "./dom.js";
import { keep } from "./address.js";
import { column, figure, state } from "./state.js";

export const FIRST = "mIoU"; // the report's own order is by this

keep(
  "sort",
  () => (state.sort.title === null ? null : [state.sort.title, state.sort.up ? "up" : "down"]),
  ([title = null, way]) => {
    const known = title === "method" || (title !== null && column(title));
    state.sort = known ? { title, up: way === "up" } : { title: null, up: false };
  },
);

/** The rows in the order asked for; what is missing comes last either way. */
export function sorted(rows) {
  const { title, up } = state.sort;
  if (title === null) return rows;
  const sign = up ? 1 : -1;
  if (title === "method") return [...rows].sort((a, b) => sign * a.method.localeCompare(b.method));
  if (column(title).words) {
    return [...rows].sort((a, b) => sign * a.cells[title].text.localeCompare(b.cells[title].text));
  }
  const missing = (row) => figure(row, title) === null;
  const difference = (a, b) => (missing(a) ? 0 : sign * (figure(a, title) - figure(b, title)));
  return [...rows].sort((a, b) => missing(a) - missing(b) || difference(a, b));
}

/** The head of a column: all of it is pressed to sort by it. */
export function heading({ title, better, words }, sortBy) {
  const untouched = state.sort.title === null;
  const active = untouched ? title === FIRST : state.sort.title === title;
  const up = !untouched && state.sort.up;
  const press = () => {
    const first = better < 0 || words; // the first press puts the best on top, of words the first
    sortBy({ title, up: active ? !up : first });
  };
  const said = better > 0 ? "more is better" : better < 0 ? "less is better" : null;
  const name = el("button", { type: "button", "data-column": title, title: said }, title);
  const sort = active ? (up ? "ascending" : "descending") : null;
  return el("th", { scope: "col", "aria-sort": sort, on: { click: press } }, name);
}

// The table: figures with their intervals, marks of the best, and notes.

import { byId, el } from "./dom.js";
import { heading, sorted } from "./ordering.js";
import { aboutFigure, explain } from "./panel.js";
import { belongs, methodButton } from "./selection.js";
import { measured, shownColumns, state, visible } from "./state.js";
import { changed, views } from "./views.js";
import { walkable } from "./walking.js";

function drawLeaderboard() {
  const rows = visible();
  const columns = shownColumns();
  const { heading: dataset, protocol } = state.group;
  const board = byId("board");
  board.replaceChildren(
    el("caption", { class: "hidden" }, `Methods on ${dataset}, protocol ${protocol || "not stated"}`),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        [{ title: "method", better: 0, words: true }, ...columns].map((one) => heading(one, sortBy)),
      ),
    ),
    el(
      "tbody",
      {},
      sorted(measured(rows)).map((row) => tableRow(row, columns)),
    ),
    ...published(
      rows.filter((row) => row.origin === "published"),
      columns,
    ),
  );
  walkable(board);
  byId("legend").replaceChildren(`${state.group.legend} `, el("span", { class: "help" }, HELP));
  byId("notes").replaceChildren(
    ...state.group.notes.map((note, index) => el("li", { id: `note-${index + 1}`, tabindex: -1 }, note)),
  );
}

function sortBy(sort) {
  state.sort = sort;
  changed(drawLeaderboard);
  byId("board")
    .querySelector(`[data-column="${CSS.escape(sort.title)}"]`)
    .focus();
}

/** Printed figures, protocol by protocol, under a heading that says what they are. */
function published(rows, columns) {
  return [...Map.groupBy(rows, (row) => row.protocol)].map(([protocol, own]) => {
    const under = protocol ? `protocol ${protocol}` : "protocol not stated";
    const head = `Published, ${under}: as printed, not measured here, not ranked`;
    const span = el("th", { scope: "rowgroup", colspan: columns.length + 1 }, el("span", {}, head));
    return el(
      "tbody",
      { class: "published" },
      el("tr", {}, span),
      sorted(own).map((row) => tableRow(row, columns)),
    );
  });
}

const touch = matchMedia("(pointer: coarse)").matches;
const HELP = touch
  ? "Tap a figure to see where it comes from and how to cite it, and a method to select it everywhere."
  : "Click a figure (or the arrow keys and Enter) to see where it comes from and how to cite it.";

function tableRow(row, columns) {
  const notes = row.notes.map((number) =>
    el("a", { href: `#note-${number}`, "aria-label": `note ${number}` }, String(number)),
  );
  const name = el("th", { scope: "row" }, methodButton(row), notes.length ? el("sup", {}, notes) : null);
  const cells = columns.map((one) => explain(cell(row, one), () => aboutFigure(row, one.title)));
  return belongs(el("tr", {}, name, cells), row);
}

/** With one decimal; -0.02 has no sign. */
const tenths = (value) => (Math.round(10 * value) / 10 || 0).toFixed(1);

function cell(row, { title, words }) {
  const { value, text, mark, low, high, alike, busy } = row.cells[title];
  const tag = { best: "strong", second: "u" }[mark] ?? "span";
  const said = mark ? el("span", { class: "hidden" }, mark === "best" ? " best" : " second best") : null;
  const noisy = busy ? el("span", { class: "same" }, "!") : null;
  const same = alike ? el("span", { class: "same" }, "≈") : null;
  const span = low === undefined ? null : el("small", {}, `${tenths(low)}–${tenths(high)}`);
  const kind = words ? "words" : value === null ? "none" : null;
  return el("td", { class: kind }, el(tag, {}, text), noisy, same, said, span);
}

views.push(drawLeaderboard);

// Where a figure of a table comes from and how to cite it: a panel at the foot of the window, which covers no table.

import { copier } from "./copying.js";
import { byId, el } from "./dom.js";
import { column, isBound, state } from "./state.js";

const panel = byId("panel");
const explained = new WeakMap(); // element -> () => {title, value, lines: [[label, text], ...], notes, cite}
let current = null;

/** Let an element open the panel when it is pressed, and fill it when it is walked to. */
export function explain(element, content) {
  explained.set(element, content);
  element.classList.add("explained");
  return element;
}

function openPanel(element) {
  const { title, value, lines, notes = [], cite = null } = explained.get(element)();
  current?.classList.remove("shown");
  current = element;
  element.classList.add("shown");
  const listed = lines.map(([label, text]) => el("div", {}, el("dt", {}, label), el("dd", {}, text)));
  byId("panel-body").replaceChildren(
    el("p", { class: "panel-title", "aria-live": "polite" }, `${title}: `, el("strong", {}, value)),
    el("dl", {}, listed),
    ...notes.map((note) => el("p", {}, note)),
    cite
      ? el(
          "p",
          { class: "cite" },
          "To cite it: ",
          el("code", {}, cite),
          " ",
          copier("the signature", () => cite),
        )
      : "",
  );
  panel.hidden = false;
  document.body.classList.add("with-panel");
  element.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** Put the panel away. */
export function closePanel() {
  panel.hidden = true;
  document.body.classList.remove("with-panel");
  current?.classList.remove("shown");
  current = null;
}

byId("panel-close").addEventListener("click", () => {
  const from = current;
  closePanel();
  from?.focus({ preventScroll: true });
});
document.addEventListener("click", (event) => {
  const element = event.target.closest?.(".explained");
  if (element && !event.target.closest("button, a")) openPanel(element);
});
document.addEventListener("focusin", (event) => {
  if (!panel.hidden && explained.has(event.target)) openPanel(event.target);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closePanel();
  if ((event.key === "Enter" || event.key === " ") && explained.has(event.target)) {
    event.preventDefault();
    openPanel(event.target);
  }
});

/** What the panel says of one figure of a row: the full figure, its interval, where both come from, its signature. */
export function aboutFigure(row, title) {
  const { value, text, low, high, level, noInterval, minusBest } = row.cells[title];
  const of = column(title);
  const lines = [];
  if (low !== undefined) lines.push([`${100 * level} % interval`, `${low} to ${high}`]);
  if (minusBest) lines.push(["minus the best", minusBest]);
  if (noInterval) lines.push(["no interval", noInterval]);
  lines.push(...(row.provenance[of.topic] ?? []), ...row.provenance.run);
  const bound = isBound(row, of) ? "at least " : "";
  const known = value === null ? (of.words ? text : "not measured") : `${bound}${value}`;
  const notes = row.notes.map((number) => `Note ${number}: ${state.group.notes[number - 1]}`);
  return { title: `${row.method} · ${title}`, value: known, lines, notes, cite: signature(row, of) };
}

/** The line that `vssbench cite` prints; null where there is no figure. */
export function signature(row, { title, cited }) {
  const [parts, value] = row.cells[title].cite ?? [];
  return value === undefined ? null : `${cited}|${row.signatures[parts]} = ${value}`;
}

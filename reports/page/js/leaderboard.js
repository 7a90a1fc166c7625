// The table: sorted by any column, filtered by text and family, figures with their intervals and where they come from.

function drawLeaderboard() {
  const rows = visible();
  const columns = state.group.columns.filter((one) => one.primary || state.allColumns);
  const printedRows = rows.filter((row) => row.origin === "published");
  byId("board").replaceChildren(
    el("caption", { class: "hidden" }, `Methods on ${state.group.dataset}, protocol ${state.group.protocol}`),
    el("thead", {}, el("tr", {}, [{ key: "method", label: "method", unit: "" }, ...columns].map(heading))),
    el("tbody", {}, sorted(measured(rows)).map((row) => tableRow(row, columns))),
  );
  if (printedRows.length)
    byId("board").append(
      el("tbody", { class: "published" },
        el("tr", {}, el("th", { scope: "rowgroup", colspan: columns.length + 1 }, "Published, as printed")),
        sorted(printedRows).map((row) => tableRow(row, columns))),
    );
  byId("board").querySelector("tbody td")?.setAttribute("tabindex", "0");
  const total = state.group.rows.length;
  byId("count").textContent = rows.length === total ? "" : `${rows.length} of ${total} methods`;
  byId("notes").replaceChildren(...state.group.notes.map((note, number) => el("li", { id: `note-${number}` }, note)));
}

/** The rows in the order asked for; what is missing comes last either way. */
function sorted(rows) {
  const { key, up } = state.sort;
  if (key === null) return rows;
  const sign = up ? 1 : -1;
  if (key === "method") return [...rows].sort((a, b) => sign * a.method.localeCompare(b.method));
  const missing = (row) => row.values[key] === null || row.values[key] === undefined;
  return [...rows].sort((a, b) => missing(a) - missing(b) || (missing(a) ? 0 : sign * (a.values[key] - b.values[key])));
}

function heading({ key, label, unit, better }) {
  const active = state.sort.key === key || (state.sort.key === null && key === "mIoU");
  const up = state.sort.key === null ? false : state.sort.up;
  const direction = better > 0 ? "more is better" : better < 0 ? "less is better" : "";
  const press = () => {
    const first = better < 0 || key === "method"; // the first click shows the best on top
    state.sort = { key, up: active ? !up : first };
    drawLeaderboard();
    highlight();
    byId("board").querySelector(`[data-key="${CSS.escape(key)}"]`).focus();
  };
  const button = el("button", { type: "button", "data-key": key, title: direction, on: { click: press } },
    label, unit ? el("small", {}, ` ${unit}`) : null);
  return el("th", { scope: "col", "aria-sort": active ? (up ? "ascending" : "descending") : null }, button);
}

function tableRow(row, columns) {
  const notes = row.notes.map((number) =>
    el("a", { href: `#note-${number}`, "aria-label": `note ${number + 1}`, title: state.group.notes[number] }, String(number + 1)));
  const button = belongs(selects(el("button", { type: "button", class: "method" }, glyph(row), el("span", {}, row.method)), row), row);
  describe(button, () => rowCard(row));
  const name = el("th", { scope: "row" }, button, notes.length ? el("sup", {}, notes) : null);
  const cells = columns.map((one) => describe(cell(row, one), () => figureCard(row, one.key)));
  return belongs(el("tr", {}, name, cells), row);
}

function cell(row, one) {
  const place = row.best[one.key];
  const figure = row.values[one.key];
  const bound = one.topic === "gflops" && row.uncounted && figure !== null ? "≥ " : "";
  const text = `${bound}${printed(figure, one)}`;
  const interval = row.intervals[one.key];
  const tag = place === 1 ? "strong" : place === 2 ? "u" : "span";
  const said = place === 1 ? el("span", { class: "hidden" }, " best") : place === 2 ? el("span", { class: "hidden" }, " second best") : null;
  const span = interval?.low !== undefined ? el("small", {}, `${interval.low.toFixed(1)}–${interval.high.toFixed(1)}`) : null;
  return el("td", { tabindex: -1, class: figure === null ? "none" : null }, el(tag, {}, text), said, span);
}

/** Arrow keys walk over the figures, so that the table is one stop of the Tab key. */
byId("board").addEventListener("keydown", (event) => {
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  const from = event.target.closest("td");
  if (!step || !from) return;
  const lines = [...byId("board").querySelectorAll("tbody tr[data-row]")];
  const line = lines[lines.indexOf(from.parentElement) + step[0]];
  const to = line?.querySelectorAll("td")[[...from.parentElement.querySelectorAll("td")].indexOf(from) + step[1]];
  if (!to) return;
  event.preventDefault();
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
});

function drawFamilies() {
  const all = families(state.group);
  byId("families").replaceChildren(...(all.length < 2 ? [] : all.map((family) => {
    const sample = state.group.rows.find((row) => row.family === family);
    const press = (event) => {
      if (!state.families.delete(family)) state.families.add(family);
      event.currentTarget.setAttribute("aria-pressed", state.families.has(family));
      refresh();
    };
    return el("button", { type: "button", class: "chip", "aria-pressed": state.families.has(family), on: { click: press } }, glyph(sample), family);
  })));
}

byId("text").addEventListener("input", (event) => {
  state.text = event.target.value;
  refresh();
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("all-columns").addEventListener("change", (event) => {
  state.allColumns = event.target.checked;
  drawLeaderboard();
  highlight();
});
views.push(drawLeaderboard);

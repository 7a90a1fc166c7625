// The table: sorted by any column, filtered by text and family, figures with their intervals and where they come from.

const FIRST = "mIoU"; // the report's own order is by this

function drawLeaderboard() {
  const rows = visible();
  const columns = state.group.columns.filter((one) => one.primary || state.allColumns);
  const published = rows.filter((row) => row.origin === "published");
  const board = byId("board");
  board.replaceChildren(
    el("caption", { class: "hidden" }, `Methods on ${state.group.dataset}, protocol ${state.group.protocol || "not stated"}`),
    el("thead", {}, el("tr", {}, [{ title: "method", better: 0 }, ...columns].map(heading))),
    el("tbody", {}, sorted(measured(rows)).map((row) => tableRow(row, columns))),
  );
  for (const protocol of new Set(published.map((row) => row.protocol))) {
    const head = `Published, ${protocol ? `protocol ${protocol}` : "protocol not stated"}: as printed, not measured here, not ranked`;
    const own = published.filter((row) => row.protocol === protocol);
    board.append(el("tbody", { class: "published" },
      el("tr", {}, el("th", { scope: "rowgroup", colspan: columns.length + 1 }, el("span", {}, head))),
      sorted(own).map((row) => tableRow(row, columns))));
  }
  walkable(board);
  const total = state.group.rows.length;
  byId("count").textContent = rows.length === total ? "" : `${rows.length} of ${total} methods`;
  byId("legend").textContent = legend(rows);
  byId("notes").replaceChildren(...state.group.notes.map((note, index) => el("li", { id: `note-${index + 1}` }, note)));
}

function legend(rows) {
  const letters = Object.entries(state.group.machines);
  const everywhere = state.group.notesOfAll;
  const cells = rows.flatMap((row) => Object.values(row.cells));
  const level = cells.find((one) => one.level)?.level;
  return [
    cells.some(({ mark }) => mark) ? "Bold: best; underlined: second best." : "",
    level ? `Under a figure: its ${100 * level} % confidence interval over clips.` : "",
    cells.some(({ busy }) => busy) ? "!: the machine slept or was busy meanwhile; the method's notes say by how much." : "",
    cells.some(({ alike }) => alike) ? `≈: not to be told from the best of its column (p ≥ ${data.alpha}, over clips, corrected for all pairs).` : "",
    letters.length > 1 ? `Speeds: ${letters.map(([letter, machine]) => `(${letter}) ${machine}`).join("; ")}; they cannot be compared.` : "",
    state.group.meanings,
    everywhere.length ? `Of every method: note ${everywhere.join(", ")}.` : "",
    "Hover a figure, or walk to it with the arrow keys, to see where it comes from.",
  ].filter(Boolean).join(" ");
}

/** The rows in the order asked for; what is missing comes last either way. */
function sorted(rows) {
  const { title, up } = state.sort;
  if (title === null) return rows;
  const sign = up ? 1 : -1;
  if (title === "method") return [...rows].sort((a, b) => sign * a.method.localeCompare(b.method));
  const missing = (row) => figure(row, title) === null;
  return [...rows].sort((a, b) => missing(a) - missing(b) || (missing(a) ? 0 : sign * (figure(a, title) - figure(b, title))));
}

function heading({ title, better }) {
  const untouched = state.sort.title === null;
  const active = untouched ? title === FIRST : state.sort.title === title;
  const up = !untouched && state.sort.up;
  const press = () => {
    const first = better < 0 || title === "method"; // the first press puts the best on top
    state.sort = { title, up: active ? !up : first };
    drawLeaderboard();
    highlight();
    byId("board").querySelector(`[data-column="${CSS.escape(title)}"]`).focus();
  };
  const hint = better > 0 ? "more is better" : better < 0 ? "less is better" : null;
  const button = el("button", { type: "button", "data-column": title, title: hint, on: { click: press } }, title);
  return el("th", { scope: "col", "aria-sort": active ? (up ? "ascending" : "descending") : null }, button);
}

function tableRow(row, columns) {
  const notes = row.notes.map((number) =>
    el("a", { href: `#note-${number}`, "aria-label": `note ${number}`, title: state.group.notes[number - 1] }, String(number)));
  const name = el("th", { scope: "row" }, methodButton(row), notes.length ? el("sup", {}, notes) : null);
  const cells = columns.map((one) => describe(cell(row, one), () => figureCard(row, one.title)));
  return belongs(el("tr", {}, name, cells), row);
}

/** A method's name, which selects it. */
function methodButton(row) {
  const button = el("button", { type: "button", class: "method" }, glyph(row), el("span", {}, row.method));
  return describe(belongs(selects(button, row), row), () => rowCard(row));
}

/** With one decimal; -0.02 has no sign. */
const tenths = (value) => (Math.round(10 * value) / 10 || 0).toFixed(1);

function cell(row, { title }) {
  const { value, text, mark, low, high, alike, busy } = row.cells[title];
  const tag = { best: "strong", second: "u" }[mark] ?? "span";
  const said = mark ? el("span", { class: "hidden" }, mark === "best" ? " best" : " second best") : null;
  const noisy = busy ? el("span", { class: "same" }, "!") : null;
  const same = alike ? el("span", { class: "same" }, "≈") : null;
  const span = low === undefined ? null : el("small", {}, `${tenths(low)}–${tenths(high)}`);
  return el("td", { class: value === null ? "none" : null }, el(tag, {}, text), noisy, same, said, span);
}

function drawFamilies() {
  const all = families(state.group);
  const chip = (family) => {
    const press = (event) => {
      if (!state.families.delete(family)) state.families.add(family);
      event.currentTarget.setAttribute("aria-pressed", state.families.has(family));
      refresh();
    };
    const sample = glyph(state.group.rows.find((row) => row.family === family));
    return el("button", { type: "button", class: "chip", "aria-pressed": false, on: { click: press } }, sample, family);
  };
  byId("families").replaceChildren(...(all.length > 1 ? all.map(chip) : []));
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

// Arrow keys walk over the figures of a table, so that it is one stop of the Tab key and every figure can show its card.

/** Let the walk over a table's figures begin at its first. */
function walkable(table) {
  for (const cell of table.querySelectorAll("tr[data-row] td")) cell.tabIndex = -1;
  table.querySelector("tr[data-row] td")?.setAttribute("tabindex", "0");
}

document.addEventListener("keydown", (event) => {
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
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

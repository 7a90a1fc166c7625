// IoU of every class under every method, or another metric by class: a table whose cells are shaded by their figure.

const classes = { order: "file", metric: "IoU" };
const ORDERS = [["file", "as in the dataset"], ["hard", "hardest first"], ["spread", "where methods differ most"]];

function drawClasses() {
  const metrics = [...new Set(visible().flatMap((row) => Object.keys(row.perClass)))];
  if (!metrics.includes(classes.metric)) classes.metric = metrics[0];
  const rows = visible().filter((row) => row.perClass[classes.metric]);
  const host = part("classes", "body");
  const controls = part("classes", "controls");
  if (!rows.length) {
    controls.replaceChildren();
    return host.replaceChildren(el("p", { class: "missing" }, "No method here has an accuracy by class."));
  }
  const chooser = (label, options, key) => choice(label, options, classes[key], (value) => {
    classes[key] = value;
    drawClasses();
    highlight();
  });
  const figures = metrics.map((name) => [name, name]);
  controls.replaceChildren(chooser("Classes", ORDERS, "order"), ...(figures.length > 1 ? [chooser("Figure", figures, "metric")] : []));
  const order = classOrder(rows);
  const head = el("tr", {}, el("th", { scope: "col" }, "method"), order.map((index) => el("th", { scope: "col", class: "upright" }, el("span", {}, state.group.classes[index]))));
  const body = rows.map((row) => belongs(el("tr", {}, el("th", { scope: "row" }, methodButton(row)), order.map((index) => classCell(row, index))), row));
  const table = el("table", { class: "heat" }, el("caption", { class: "hidden" }, `${classes.metric} in percent by method and class`), el("thead", {}, head), el("tbody", {}, body));
  walkable(table);
  host.replaceChildren(el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${classes.metric} by class` }, table),
    el("p", { class: "hint" }, `${classes.metric} in percent; a dash: the class does not count under the protocol.`));
}

function classCell(row, index) {
  const value = row.perClass[classes.metric][index];
  const cell = el("td", { class: value === null ? "none" : value > 55 ? "high" : null }, value === null ? "–" : value.toFixed(0));
  cell.style.setProperty("--share", `${value ?? 0}%`);
  return describe(cell, () => ({
    title: `${row.method} · ${state.group.classes[index]}`, value: value === null ? "does not count" : `${value} % ${classes.metric}`,
    lines: [...(row.provenance.accuracy ?? []), ...row.provenance.run],
  }));
}

/** Indices of the classes that any row has a figure for, in the order asked for. */
function classOrder(rows) {
  const column = (index) => rows.map((row) => row.perClass[classes.metric][index]).filter((value) => value !== null);
  const present = state.group.classes.map((_, index) => index).filter((index) => column(index).length);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const range = (values) => Math.max(...values) - Math.min(...values);
  if (classes.order === "hard") return present.sort((a, b) => mean(column(a)) - mean(column(b)));
  if (classes.order === "spread") return present.sort((a, b) => range(column(b)) - range(column(a)));
  return present;
}

views.push(drawClasses);

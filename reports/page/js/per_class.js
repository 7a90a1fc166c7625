// IoU of every class under every method, or another metric by class: a table whose cells are shaded by their figure.

import { keep } from "./address.js";
import { choice, el, hint, missing, part, scrolled } from "./dom.js";
import { explain } from "./panel.js";
import { belongs, methodButton } from "./selection.js";
import { state, visible } from "./state.js";
import { changed, views } from "./views.js";
import { walkable } from "./walking.js";

const ORDERS = [
  ["file", "as in the dataset"],
  ["hard", "hardest first"],
  ["spread", "where methods differ most"],
];
const classes = { order: "file", metric: null }; // metric: null: the first

keep(
  "classes",
  () => (classes.order === "file" ? null : classes.order),
  ([order = "file"]) => {
    classes.order = order;
  },
);
keep(
  "by_class",
  () => classes.metric,
  ([metric = null]) => {
    classes.metric = metric;
  },
);

function drawClasses() {
  const metrics = [...new Set(visible().flatMap((row) => Object.keys(row.perClass)))];
  const metric = metrics.includes(classes.metric) ? classes.metric : metrics[0];
  const rows = visible().filter((row) => row.perClass[metric]);
  const host = part("classes", "body");
  const controls = part("classes", "controls");
  if (!rows.length) {
    controls.replaceChildren();
    return host.replaceChildren(missing("No method here has an accuracy by class."));
  }
  const chooser = (label, options, value, key) =>
    choice(label, options, value, (chosen) => {
      classes[key] = chosen;
      changed(drawClasses);
    });
  const figures = metrics.map((name) => [name, name]);
  controls.replaceChildren(
    chooser("Classes", ORDERS, classes.order, "order"),
    ...(figures.length > 1 ? [chooser("Figure", figures, metric, "metric")] : []),
  );
  const order = classOrder(rows, metric);
  const upright = (index) => el("th", { scope: "col", class: "upright" }, el("span", {}, state.group.classes[index]));
  const line = (row) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, methodButton(row)),
      order.map((index) => classCell(row, metric, index)),
    );
  const table = el(
    "table",
    { class: "heat" },
    el("caption", { class: "hidden" }, `${metric} in percent by method and class`),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "method"), order.map(upright))),
    el(
      "tbody",
      {},
      rows.map((row) => belongs(line(row), row)),
    ),
  );
  walkable(table);
  const dash = `${metric} in percent; a dash: the class does not count under the protocol.`;
  host.replaceChildren(scrolled(`Table of ${metric} by class`, table), hint(dash));
}

function classCell(row, metric, index) {
  const value = row.perClass[metric][index];
  const cell = el("td", { class: value === null ? "none" : null }, value === null ? "–" : value.toFixed(0));
  cell.style.setProperty("--share", `${value ?? 0}%`);
  return explain(cell, () => ({
    title: `${row.method} · ${metric} of ${state.group.classes[index]}`,
    value: value === null ? "does not count" : `${value} %`,
    lines: [...(row.provenance.accuracy ?? []), ...row.provenance.run],
  }));
}

/** Indices of the classes that any row has a figure for, in the order asked for. */
function classOrder(rows, metric) {
  const column = (index) => rows.map((row) => row.perClass[metric][index]).filter((value) => value !== null);
  const present = state.group.classes.map((_, index) => index).filter((index) => column(index).length);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const range = (values) => Math.max(...values) - Math.min(...values);
  if (classes.order === "hard") return present.sort((a, b) => mean(column(a)) - mean(column(b)));
  if (classes.order === "spread") return present.sort((a, b) => range(column(b)) - range(column(a)));
  return present;
}

views.push(drawClasses);

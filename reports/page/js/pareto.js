// The Pareto plot: accuracy against what it costs, the front drawn, the rest stepping back.

import { keep } from "./address.js";
import { MARGIN, plot } from "./axes.js";
import { check, choice, hint, missing, part, svg } from "./dom.js";
import { topicOf } from "./filters.js";
import { front, staircase } from "./front.js";
import { colour, mark } from "./marks.js";
import { FIRST } from "./ordering.js";
import { LONGEST, nameAt, placed } from "./point_labels.js";
import { belongs, selectsAsButton } from "./selection.js";
import { figure, isBound, state, visible } from "./state.js";
import { describe } from "./tooltip.js";
import { changed, views, whenResized } from "./views.js";

const tradeoff = { x: null, y: null, log: null }; // null: as the page opens

keep(
  "x",
  () => tradeoff.x,
  ([title = null]) => {
    Object.assign(tradeoff, { x: title, log: null });
  },
);
keep(
  "y",
  () => tradeoff.y,
  ([title = null]) => {
    tradeoff.y = title;
  },
);
keep(
  "scale",
  () => (tradeoff.log === null ? null : tradeoff.log ? "log" : "linear"),
  ([name]) => {
    tradeoff.log = name ? name === "log" : null;
  },
);

/** The columns that may be an axis, and those that are: {costs, accuracies, x, y}. */
function axes() {
  const known = (one) => state.group.rows.some((row) => figure(row, one.title) !== null);
  const usable = state.group.columns.filter((one) => one.better && known(one));
  const accuracies = usable.filter((one) => one.topic === "accuracy");
  const costs = [...usable.filter((one) => one.topic !== "accuracy"), ...accuracies];
  const titled = (list, wanted, first) =>
    list.find((one) => one.title === wanted) ?? list.find((one) => one.title === first) ?? list[0];
  const x = titled(costs, tradeoff.x, "GFLOPs");
  return { costs, accuracies, x, y: titled(accuracies, tradeoff.y, FIRST), log: tradeoff.log ?? (x && spread(x) > 10) };
}

function drawControls() {
  const { costs, accuracies, x, y, log } = axes();
  const change = (name) => (value) => {
    tradeoff[name] = value;
    if (name === "x") tradeoff.log = null;
    changed(() => {
      drawControls();
      drawTradeoff();
    });
  };
  const titles = (list) => list.map((one) => [one.title, one.title, topicOf(one)]);
  const controls = [
    choice("Cost", titles(costs), x?.title, change("x")),
    choice("Accuracy", titles(accuracies), y?.title, change("y")),
    check("logarithmic", log, change("log")),
  ];
  part("tradeoff", "controls").replaceChildren(...(x && y ? controls : []));
}

/** How many times the largest figure is the smallest; 1 where a logarithm cannot show them. */
function spread({ title }) {
  const values = state.group.rows.map((row) => figure(row, title)).filter((value) => value !== null);
  return values.length && Math.min(...values) > 0 ? Math.max(...values) / Math.min(...values) : 1;
}

function drawTradeoff() {
  const host = part("tradeoff", "body");
  const { x, y, log } = axes();
  const both = (row) => figure(row, x.title) !== null && figure(row, y.title) !== null;
  const rows = x && y ? visible().filter(both) : [];
  if (!rows.length) return host.replaceChildren(missing("No method here has both an accuracy and a cost."));
  const best = front(rows, x, y);
  const leading = best.map((row) => row.method).join(", ");
  const frame = plot(host, {
    xs: rows.map((row) => figure(row, x.title)),
    ys: rows.flatMap((row) => [figure(row, y.title), row.cells[y.title].low, row.cells[y.title].high]),
    log,
    xTitle: `${x.title}, ${x.better > 0 ? "more" : "less"} is better`,
    yTitle: `${y.title} (%)${y.better < 0 ? ", less is better" : ""}`,
    summary: `${y.title} against ${x.title} of ${rows.length} methods. On the front: ${leading || "none"}.`,
  });
  const at = (row) => ({
    row,
    x: frame.x.at(figure(row, x.title)),
    y: frame.y.at(figure(row, y.title)),
    text: row.short,
  });
  const corners = y.better > 0 ? staircase(best.map(at), x.better > 0, frame) : [];
  frame.root.append(svg("path", { class: "front", d: corners.length ? `M${corners.join("L")}` : "" }));
  const points = [...best, ...rows.filter((row) => !best.includes(row))].map(at);
  const arrows = points.filter(({ row }) => isBound(row, x)).map((point) => ({ x: point.x + 14, y: point.y }));
  const room = { left: MARGIN.left, right: frame.width, top: 0, bottom: frame.height - MARGIN.bottom };
  const places = placed(points, room, [...points, ...arrows], corners);
  for (const [index, point] of points.entries()) {
    frame.root.append(pointOf(point, places[index], best.includes(point.row), frame, x, y));
  }
  const hidden = places.filter((place) => !place).length;
  host.append(
    hint(
      corners.length ? "The line joins the methods that no other beats in both." : "",
      arrows.length ? "An arrow marks a lower bound: some of the method's work is not counted." : "",
      rows.some((row) => row.origin === "published") ? "Hollow: published, as printed." : "",
      hidden ? `Names without room (${hidden}) are shown when their points are pointed at or selected.` : "",
    ),
  );
}

function pointOf({ row, x: left, y: top, text: name }, place, onFront, frame, x, y) {
  const { low, high } = row.cells[y.title];
  const arrow = isBound(row, x) ? `M${left},${top}h20m-5,-4l5,4l-5,4` : "";
  const interval = low === undefined ? "" : `M${left},${frame.y.at(low)}V${frame.y.at(high)}`;
  const text = place ?? { x: left, y: top - 12, anchor: left > frame.width / 2 ? "end" : "start" };
  const group = svg(
    "g",
    { class: onFront ? "point" : "point dominated" },
    svg("path", { class: `error ${colour(row.family)}`, d: interval + arrow }),
    svg("circle", { class: "halo", cx: left, cy: top, r: 11 }),
    mark(row, left, top, 5),
    nameAt(name, text.x, text.y, { room: LONGEST, anchor: text.anchor, style: place ? "name" : "name crowded" }),
  );
  const told = (one) => [one.title, row.cells[one.title].text];
  const span = low === undefined ? [] : [["interval", `${low} to ${high}`]];
  describe(group, () => ({ title: row.origin, value: row.method, lines: [told(y), ...span, told(x)] }));
  const said = [y, x].map((one) => told(one).join(" ")).join(", ");
  return belongs(selectsAsButton(group, row, `${row.short}: ${said}`), row);
}

views.push(drawControls, drawTradeoff);
whenResized(part("tradeoff", "body"), drawTradeoff);

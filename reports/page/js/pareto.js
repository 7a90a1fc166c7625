// The Pareto plot: accuracy against what it costs, the front drawn, the rest stepping back.

import { MARGIN, plot } from "./axes.js";
import { hint, missing, part, svg } from "./dom.js";
import { front, staircase } from "./front.js";
import { colour, mark } from "./marks.js";
import { LONGEST, nameAt, placed } from "./point_labels.js";
import { belongs, selectsAsButton } from "./selection.js";
import { figure, isBound, visible } from "./state.js";
import { describe } from "./tooltip.js";
import { axes, drawControls, placeOn, wordsOf } from "./tradeoff.js";
import { views, whenResized } from "./views.js";

function drawTradeoff() {
  const host = part("tradeoff", "body");
  const { x, y, log } = axes();
  const both = (row) => placeOn(x, row) !== null && figure(row, y.title) !== null;
  const rows = x && y ? visible().filter(both) : [];
  if (!rows.length) return host.replaceChildren(missing("No method here has both an accuracy and a cost."));
  const best = x.words ? [] : front(rows, x, y);
  const leading = best.map((row) => row.method).join(", ");
  const frame = plot(host, {
    xs: rows.map((row) => placeOn(x, row)),
    ys: rows.flatMap((row) => [figure(row, y.title), row.cells[y.title].low, row.cells[y.title].high]),
    log,
    names: wordsOf(x),
    xTitle: x.words ? x.title : `${x.title}, ${x.better > 0 ? "more" : "less"} is better`,
    yTitle: `${y.title} (%)${y.better < 0 ? ", less is better" : ""}`,
    summary: `${y.title} against ${x.title} of ${rows.length} methods. On the front: ${leading || "none"}.`,
  });
  const at = (row) => ({
    row,
    x: frame.x.at(placeOn(x, row)),
    y: frame.y.at(figure(row, y.title)),
    text: row.short,
  });
  const corners = y.better > 0 ? staircase(best.map(at), x.better > 0, frame) : [];
  frame.root.append(svg("path", { class: "front", d: corners.length ? `M${corners.join("L")}` : "" }));
  const points = [...best, ...rows.filter((row) => !best.includes(row))].map(at);
  const arrows = points.filter(({ row }) => isBound(row, x)).map((point) => ({ x: point.x + 14, y: point.y }));
  const room = { left: frame.left, right: frame.width, top: 0, bottom: frame.height - MARGIN.bottom };
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
      hidden ? `Names that do not fit (${hidden}) appear when their points are pointed at or selected.` : "",
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

views.push(() => drawControls(drawTradeoff), drawTradeoff);
whenResized(part("tradeoff", "body"), drawTradeoff);

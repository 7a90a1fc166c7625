// Curves of mIoU, one a method: over the frames since the key frame, and over the frame rate of a camera.

import { MARGIN, plot } from "./axes.js";
import { missing, part, svg } from "./dom.js";
import { colour, mark } from "./marks.js";
import { nameAt, pen } from "./point_labels.js";
import { belongs, selectsAsButton } from "./selection.js";
import { state, visible } from "./state.js";
import { describe } from "./tooltip.js";
import { views, whenResized } from "./views.js";

const CURVES = [
  {
    section: "distance",
    of: (group) => group.ageing,
    integers: true,
    xTitle: "frames since the key frame",
    yTitle: "mIoU (%)",
    place: (distance) => `distance ${distance}`,
    summary: "mIoU by distance to the key frame",
    none: "No method here was measured at several distances to its key frames.",
  },
  {
    section: "stream",
    of: (group) => group.streams,
    integers: false,
    xTitle: "camera, frames per second",
    yTitle: "mIoU on show (%)",
    place: (fps) => `${fps} frames per second`,
    summary: "mIoU of what is on show by frame rate",
    none: "No method here was streamed at several frame rates: vssbench run --stream 10,15,30.",
  },
];

function drawCurves(kind) {
  const host = part(kind.section, "body");
  const shown = new Set(visible().map((row) => row.id));
  const curves = kind.of(state.group).filter((curve) => curve.row === null || shown.has(curve.row));
  if (!curves.length) return host.replaceChildren(missing(kind.none));
  const all = curves.flatMap((curve) => curve.points);
  const widest = Math.max(...curves.map((curve) => pen.measureText(nameOf(curve)).width));
  const names = Math.min(widest + 20, host.clientWidth / 3);
  const frame = plot(host, {
    xs: all.map(([x]) => x),
    ys: all.flatMap(([, ...values]) => values),
    height: 360,
    right: names,
    integers: kind.integers,
    xTitle: kind.xTitle,
    yTitle: kind.yTitle,
    summary: `${kind.summary} of ${curves.map((curve) => curve.name).join(", ")}.`,
  });
  const ends = curves.map((curve) => ({ curve, at: frame.y.at(curve.points.at(-1)[1]) })).sort((a, b) => a.at - b.at);
  spreadOut(ends, frame.height - MARGIN.bottom + 10);
  for (const { curve, at } of ends) frame.root.append(curveOf(curve, at, frame, names, kind));
}

/** As the other plots name the method. */
const nameOf = ({ name, row }) => (row === null ? name : state.group.rows[row].short);

/** Move the ends apart so that their names can be read: down from the first, then up from the lowest place. */
function spreadOut(ends, lowest) {
  let least = MARGIN.top;
  for (const end of ends) {
    end.at = Math.max(end.at, least);
    least = end.at + 14;
  }
  let limit = lowest;
  for (const end of ends.toReversed()) {
    end.at = Math.min(end.at, limit);
    limit = end.at - 14;
  }
}

function curveOf(curve, nameY, frame, names, kind) {
  const { name, row: id, points } = curve;
  const row = id === null ? null : state.group.rows[id];
  const at = ([x, value]) => [frame.x.at(x), frame.y.at(value)];
  const [endX, endY] = at(points.at(-1));
  const left = frame.width - names + 14;
  const group = svg(
    "g",
    { class: "point" },
    svg("path", { class: `curve ${row ? colour(row.family) : "joined"}`, d: `M${points.map(at).join("L")}` }),
    svg("line", { class: "leader", x1: endX + 5, y1: endY, x2: left - 3, y2: nameY }),
    nameAt(nameOf(curve), left, nameY + 4, { room: names - 14 }),
  );
  for (const point of points) {
    const [x, y] = at(point);
    const [, , low, high] = point;
    const limits = low === undefined ? "" : `, ${low.toFixed(1)} to ${high.toFixed(1)} over clips`;
    if (limits) {
      const interval = `M${x},${frame.y.at(low)}V${frame.y.at(high)}`;
      group.prepend(svg("path", { class: `error ${colour(row.family)}`, d: interval }));
    }
    const dot = row ? mark(row, x, y, 3.5) : svg("circle", { class: "mark joined", cx: x, cy: y, r: 3.5 });
    const lines = row ? [] : [["joined", "the phases of a sweep"]];
    const value = `${point[1]} % mIoU${limits}`;
    group.append(describe(dot, () => ({ title: `${name} · ${kind.place(point[0])}`, value, lines })));
  }
  const figures = points.map(([x, value]) => `${value.toFixed(1)} % at ${x}`).join(", ");
  const said = `${nameOf(curve)}: ${figures}`;
  return row ? belongs(selectsAsButton(group, row, said), row) : group;
}

for (const kind of CURVES) {
  views.push(() => drawCurves(kind));
  whenResized(part(kind.section, "body"), () => drawCurves(kind));
}

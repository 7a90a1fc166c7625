// How long frames take, by kind: a mean hides that a key frame costs several times the others.

import { keep } from "./address.js";
import { scale, thinned } from "./axes.js";
import { check, choice, hint, missing, part, svg } from "./dom.js";
import { colour } from "./marks.js";
import { nameAt, pen } from "./point_labels.js";
import { belongs, selectsAsButton } from "./selection.js";
import { visible } from "./state.js";
import { describe } from "./tooltip.js";
import { changed, views, whenResized } from "./views.js";

const latency = { scope: "step", log: true };
const SCOPES = [
  ["step", "step"],
  ["step+decode", "step + decode"],
  ["end_to_end", "end to end"],
];
const STRIP = 17;
const LEAST = 0.1; // milliseconds: a clock says nothing below, no network has run

keep(
  "time",
  () => (latency.scope === "step" ? null : latency.scope),
  ([scope]) => {
    latency.scope = SCOPES.some(([known]) => known === scope) ? scope : "step";
  },
);

function drawLatency() {
  const host = part("latency", "body");
  const rows = visible().filter((row) => Object.keys(row.latency).length);
  const change = (name) => (value) => {
    latency[name] = value;
    changed(drawLatency);
  };
  const controls = [
    choice("Time of", SCOPES, latency.scope, change("scope")),
    check("logarithmic", latency.log, change("log")),
  ];
  part("latency", "controls").replaceChildren(...(rows.length ? controls : []));
  if (!rows.length) return host.replaceChildren(missing("No latency was measured in these runs."));
  const strips = rows.flatMap((row) =>
    Object.entries(row.latency).map(([kind, samples], index) => ({ row, kind, samples, first: index === 0 })),
  );
  const width = Math.max(host.clientWidth, 280);
  const widest = Math.max(...rows.map((row) => pen.measureText(row.method).width));
  const left = Math.min(width * 0.42, widest + 80);
  const drawn = (time) => (latency.log ? Math.max(time, LEAST) : time);
  const times = strips.flatMap(({ samples }) => samples[latency.scope].map(drawn));
  const across = scale(times, left, width - 16, latency.log, 0.02);
  const x = { ...across, at: (time) => across.at(drawn(time)) };
  let y = 6;
  for (const strip of strips) {
    if (strip.first) y += 7;
    y += STRIP;
    strip.y = y;
  }
  const grid = svg("g", { class: "grid", "aria-hidden": "true" });
  for (const tick of thinned(x.ticks, x.at)) {
    grid.append(svg("line", { x1: x.at(tick), x2: x.at(tick), y1: 8, y2: y + 10 }));
    grid.append(svg("text", { x: x.at(tick), y: y + 26, "text-anchor": "middle" }, String(tick)));
  }
  grid.append(svg("text", { class: "axis", x: width - 16, y: y + 44, "text-anchor": "end" }, "milliseconds per frame"));
  const size = { width, height: y + 52, viewBox: `0 0 ${width} ${y + 52}` };
  const summary = "Distribution of the latency by method and frame kind";
  const root = svg("svg", { ...size, role: "group", "aria-label": summary }, grid);
  for (const strip of strips) root.append(stripOf(strip, x, left));
  const bound = latency.log ? `Times below ${LEAST} ms are drawn as ${LEAST} ms.` : "";
  const said =
    "Every tick is 2.5 % of the timed frames; the thick part holds the middle half, the long tick is the median.";
  host.replaceChildren(root, hint(said, bound));
}

function stripOf({ row, kind, samples, first, y }, x, left) {
  const times = samples[latency.scope];
  const level = (share) => times[Math.round(share * (times.length - 1))];
  const ticks = times.map((time) => `M${x.at(time)},${y - 4}v8`).join("");
  const [low, high] = [x.at(level(0.25)), x.at(level(0.75))];
  const group = svg(
    "g",
    { class: "point" },
    svg("rect", { class: "halo", x: 0, y: y - STRIP / 2, width: "100%", height: STRIP }),
    first ? nameAt(`${row.method} `, 0, y + 4, { room: left - 66 }) : null,
    svg("text", { class: "kind", x: left - 10, y: y + 4, "text-anchor": "end" }, kind),
    svg("path", {
      class: `curve thin ${colour(row.family)}`,
      d: `M${x.at(times[0])},${y}H${x.at(times.at(-1))}${ticks}`,
    }),
    svg("path", { class: `curve thick ${colour(row.family)}`, d: `M${low},${y}H${high}` }),
    svg("path", { class: "median", d: `M${x.at(level(0.5))},${y - 7}v14` }),
  );
  const label = `${row.method}, ${kind} frames: median ${level(0.5)} ms, 90 % below ${level(0.9)} ms`;
  const lines = [
    ["25 to 75 %", `${level(0.25)} to ${level(0.75)} ms`],
    ["90 %", `${level(0.9)} ms`],
    ["slowest", `${times.at(-1)} ms`],
    ["timed frames", String(samples.n)],
  ];
  describe(group, () => ({ title: `${row.method} · ${kind} frames`, value: `median ${level(0.5)} ms`, lines }));
  return belongs(selectsAsButton(group, row, label), row);
}

views.push(drawLatency);
whenResized(part("latency", "body"), drawLatency);

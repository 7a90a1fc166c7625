// Two methods clip by clip: every point a clip, below the diagonal those where A loses; and whether that is chance.

import { plot } from "./axes.js";
import { button, counted, el, missing, svg } from "./dom.js";
import { frameOf, showFrame } from "./frames.js";
import { data, state } from "./state.js";
import { describe } from "./tooltip.js";

/** The metrics that both have. */
export const shared = (a, b) => Object.keys(a.perClip).filter((name) => name in b.perClip);

/** Why a metric is not known clip by clip for one of the two; undefined where it is for both. */
export const unknown = (a, b, metric) =>
  [a, b].map((row) => row.perClip[metric]).find((found) => typeof found === "string");

export function drawClips(host, a, b, metric) {
  const why = metric && unknown(a, b, metric);
  if (why) return host.replaceChildren(missing(`${metric} is not known clip by clip: ${why}.`));
  const pairs = metric ? clipPairs(a, b, metric) : [];
  if (!pairs.length) return host.replaceChildren(missing("These two have no clip in common with figures of a metric."));
  const picture = el("div", { class: "picture" });
  host.replaceChildren(el("div", { class: "beside" }, picture, clipTable(pairs, a, b, metric)));
  drawScatter(picture, pairs, a, b, metric);
}

/** [{clip, a, b}, ...] of the clips for which both methods have a figure, A's largest loss first. */
function clipPairs(a, b, metric) {
  const [first, second] = [a.perClip[metric], b.perClip[metric]];
  const all = state.group.clipNames.map((clip, index) => ({ clip, hundredths: [first[index], second[index]] }));
  return all
    .filter(({ hundredths }) => !hundredths.includes(null))
    .map(({ clip, hundredths: [one, other] }) => ({ clip, a: one / 100, b: other / 100 }))
    .sort((p, q) => p.a - p.b - (q.a - q.b));
}

const losses = (pairs) => pairs.filter((pair) => pair.a < pair.b).length;

function drawScatter(host, pairs, a, b, metric) {
  const values = pairs.flatMap((pair) => [pair.a, pair.b]);
  const clips = counted(pairs.length, "clip");
  const frame = plot(host, {
    xs: values,
    ys: values,
    height: Math.min(460, Math.max(300, host.clientWidth)),
    xTitle: `B: ${b.method}`,
    yTitle: `A: ${a.method}`,
    summary: `${metric} of ${clips}: A, ${a.method}, is below B, ${b.method}, in ${losses(pairs)}.`,
  });
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const ends = { x1: frame.x.at(low), y1: frame.y.at(low), x2: frame.x.at(high), y2: frame.y.at(high) };
  frame.root.append(svg("line", { class: "diagonal", ...ends }));
  for (const pair of pairs) {
    const place = { cx: frame.x.at(pair.b), cy: frame.y.at(pair.a), r: pairs.length > 100 ? 3 : 4.5 };
    const point = svg("circle", { class: pair.a < pair.b ? "clip loses" : "clip", ...place });
    if (frameOf(pair.clip) >= 0) point.addEventListener("click", () => showFrame(pair.clip));
    const lines = [
      [`A, ${a.method}`, `${pair.a} %`],
      [`B, ${b.method}`, `${pair.b} %`],
    ];
    frame.root.append(describe(point, () => ({ title: pair.clip, value: `A − B ${signed(pair.a - pair.b)}`, lines })));
  }
}

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

/** The difference of the two over all clips in words, of the comparisons that the report made. */
function verdict(a, b, metric, clips) {
  const ids = [a.id, b.id];
  const found = state.group.pairs[metric]?.find(([i, j]) => ids.includes(i) && ids.includes(j));
  const [first, , effect, low, high, p, least, reason] = found ?? [];
  if (!found || p === null) {
    const why = reason ?? untested(a, b, metric);
    return `Whether their difference in ${metric} is due to chance was not computed: ${why}.`;
  }
  const [value, from, to] = first === a.id ? [effect, low, high] : [-effect, -high, -low];
  const span =
    low === null ? `no interval: ${reason}` : `${100 * data.level} % interval ${signed(from)} to ${signed(to)}`;
  const told = p < data.alpha ? "a real difference" : "it may be chance";
  const sure = least >= data.alpha ? "so few clips, or so many pairs, cannot tell two methods apart" : told;
  const chance = p < 0.001 ? "p < 0.001" : `p = ${p.toPrecision(2)}`;
  return [
    el("strong", {}, `A − B: ${signed(value)}`),
    ` in ${metric} over ${counted(clips, "clip")} (${span}; ${chance}, corrected for all pairs): ${sure}.`,
  ];
}

/** Why the report did not compare the two. */
function untested(a, b, metric) {
  const barred = [a, b].find((row) => row.barred);
  if (barred) return `${barred.method} takes no part in comparisons, as ${barred.barred}`;
  const rank = (row) => state.group.rows.filter((one) => !one.barred).indexOf(row);
  if (Math.max(rank(a), rank(b)) >= data.shown) return `only the ${data.shown} best methods are compared in pairs`;
  return metric.startsWith("sIoU(") ? "they did not run on one machine" : "the report was made without it";
}

function clipTable(pairs, a, b, metric) {
  const name = ({ clip }) => (frameOf(clip) >= 0 ? button(clip, () => showFrame(clip), { class: "link" }) : clip);
  const line = (pair) => {
    const figures = [pair.a.toFixed(1), pair.b.toFixed(1), signed(pair.a - pair.b)];
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, name(pair)),
      figures.map((text) => el("td", {}, text)),
    );
  };
  const head = ["clip", "A", "B", "A − B"].map((text) => el("th", { scope: "col" }, text));
  const table = el(
    "table",
    { class: "losses" },
    el("caption", { class: "hidden" }, `${metric} of each clip, those first where A loses most`),
    el("thead", {}, el("tr", {}, head)),
    el("tbody", {}, pairs.map(line)),
  );
  return el(
    "div",
    {},
    el("p", { class: "verdict" }, verdict(a, b, metric, pairs.length)),
    el("p", { class: "hint" }, `A is below B in ${losses(pairs)} of ${counted(pairs.length, "clip")}.`),
    el(
      "div",
      { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Clips, A's largest loss first" },
      table,
    ),
  );
}

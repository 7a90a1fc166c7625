// From figures to pixels, and the frame of a plot: grid, ticks, titles; as wide as its place.

import { svg } from "./dom.js";

/** Around the plots. left: the least; it grows with the figures on the y axis, which are clear of its title. */
export const MARGIN = { left: 52, right: 16, top: 12, bottom: 44 };

/** A scale over the values: {at(value) -> pixel, ticks: [value, ...]}. from, to: pixels; log where all are positive. */
export function scale(values, from, to, log = false, pad = 0.06) {
  const finite = values.filter(Number.isFinite);
  const warp = log && finite.every((value) => value > 0) ? Math.log10 : (value) => value;
  let low = warp(Math.min(...finite));
  let high = warp(Math.max(...finite));
  if (!finite.length) [low, high] = [0, 1];
  const half = Math.min(Math.abs(low) / 2, 0.5) || 0.5; // around a single value, on its side of 0
  if (low === high) [low, high] = [low - half, high + half];
  const room = (high - low) * pad;
  [low, high] = [low - room, high + room];
  const at = (value) => from + ((warp(value) - low) / (high - low)) * (to - from);
  const ticks = warp === Math.log10 ? decades(10 ** low, 10 ** high) : steps(low, high, Math.abs(to - from) / 70);
  return { at, ticks, log: warp === Math.log10 };
}

/** Round values between low and high, about `count` of them. */
function steps(low, high, count) {
  const rough = (high - low) / Math.max(count, 2);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let index = Math.ceil(low / step); index * step <= high; index++) ticks.push(+(index * step).toPrecision(12));
  return ticks;
}

/** 1, 2, 5, 10, 20, ... between low and high; powers of ten alone where they are many. */
function decades(low, high) {
  const factors = high / low > 1e4 ? [1] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++)
    for (const factor of factors) {
      const tick = +(factor * 10 ** power).toPrecision(12);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  return ticks.length > 1 ? ticks : steps(low, high, 5).filter((tick) => tick > 0);
}

/**
 * An empty plot in `host`: {root, x, y, left, width, height}; it begins at `left`.
 * xs, ys: the values that must fit; log: of the x axis.
 * names: what stands at 0, 1, ... of an x axis that has no numbers.
 * summary: what a screen reader says of it, as the points alone mean little.
 */
export function plot(
  host,
  { xs, ys, xTitle, yTitle, log = false, height = 420, summary, right = MARGIN.right, integers = false, names = null },
) {
  const width = Math.max(host.clientWidth, 280);
  const y = scale(ys, height - MARGIN.bottom, MARGIN.top);
  const left = Math.max(MARGIN.left, 26 + 7 * Math.max(...y.ticks.map((tick) => String(tick).length)));
  const x = scale(names ? [-0.5, names.length - 0.5] : xs, left, width - right, log);
  const ticks = names ? [...names.keys()] : integers ? x.ticks.filter(Number.isInteger) : x.ticks;
  const grid = svg("g", { class: "grid", "aria-hidden": "true" });
  for (const tick of thinned(ticks, x.at)) {
    const at = x.at(tick);
    grid.append(svg("line", { x1: at, x2: at, y1: MARGIN.top, y2: height - MARGIN.bottom }));
    grid.append(
      svg("text", { x: at, y: height - MARGIN.bottom + 16, "text-anchor": "middle" }, names?.[tick] ?? String(tick)),
    );
  }
  for (const tick of y.ticks) {
    const at = y.at(tick);
    grid.append(svg("line", { x1: left, x2: width - right, y1: at, y2: at }));
    grid.append(svg("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, String(tick)));
  }
  const middle = (height - MARGIN.bottom + MARGIN.top) / 2;
  grid.append(svg("text", { class: "axis", x: width - right, y: height - 8, "text-anchor": "end" }, xTitle));
  grid.append(
    svg("text", { class: "axis", transform: `translate(13 ${middle}) rotate(-90)`, "text-anchor": "middle" }, yTitle),
  );
  const root = svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": summary },
    grid,
  );
  host.replaceChildren(root);
  return { root, x, y, left, width, height };
}

/** The ticks whose texts do not run into each other. */
export function thinned(ticks, at) {
  const kept = [];
  for (const tick of ticks) if (!kept.length || at(tick) - at(kept.at(-1)) > 34) kept.push(tick);
  return kept;
}

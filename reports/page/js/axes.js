// The frame of a plot: grid, ticks, titles; as wide as its place.

const MARGIN = { left: 52, right: 16, top: 12, bottom: 44 };

/**
 * An empty plot in `host`: {root, x, y, width, height}. xs, ys: the values that must fit; log: of the x axis.
 * summary: what a screen reader says of it, as the points alone mean little.
 */
function plot(host, { xs, ys, xTitle, yTitle, log = false, height = 420, summary, right = MARGIN.right, integers = false }) {
  const width = Math.max(host.clientWidth, 280);
  const x = scale(xs, MARGIN.left, width - right, log);
  const y = scale(ys, height - MARGIN.bottom, MARGIN.top);
  const ticks = integers ? x.ticks.filter(Number.isInteger) : x.ticks;
  const grid = svg("g", { class: "grid", "aria-hidden": "true" });
  for (const tick of thinned(ticks, x.at)) {
    const at = x.at(tick);
    grid.append(svg("line", { x1: at, x2: at, y1: MARGIN.top, y2: height - MARGIN.bottom }));
    grid.append(svg("text", { x: at, y: height - MARGIN.bottom + 16, "text-anchor": "middle" }, String(tick)));
  }
  for (const tick of y.ticks) {
    const at = y.at(tick);
    grid.append(svg("line", { x1: MARGIN.left, x2: width - right, y1: at, y2: at }));
    grid.append(svg("text", { x: MARGIN.left - 8, y: at + 4, "text-anchor": "end" }, String(tick)));
  }
  const middle = (height - MARGIN.bottom + MARGIN.top) / 2;
  grid.append(svg("text", { class: "axis", x: width - right, y: height - 8, "text-anchor": "end" }, xTitle));
  grid.append(svg("text", { class: "axis", transform: `translate(13 ${middle}) rotate(-90)`, "text-anchor": "middle" }, yTitle));
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": summary }, grid);
  host.replaceChildren(root);
  return { root, x, y, width, height };
}

/** The ticks whose texts do not run into each other. */
function thinned(ticks, at) {
  const kept = [];
  for (const tick of ticks) if (!kept.length || at(tick) - at(kept.at(-1)) > 34) kept.push(tick);
  return kept;
}

/** Draw again what depends on the width of its place. */
function whenResized(host, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (width && host.clientWidth && host.clientWidth !== width) {
      draw();
      highlight();
    }
    width = host.clientWidth;
  }).observe(host);
}

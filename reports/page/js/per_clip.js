// Two methods clip by clip: every point a clip, below the diagonal those where A loses to B.

const clips = { a: null, b: null, metric: null };
const LISTED = 8;

function drawClips() {
  const rows = visible().filter((row) => Object.keys(row.perClip).length);
  const host = part("clips", "body");
  const controls = part("clips", "controls");
  if (rows.length < 2) {
    controls.replaceChildren();
    return host.replaceChildren(el("p", { class: "missing" }, "Comparing clip by clip needs two methods with records of their clips."));
  }
  const named = (id) => rows.find((row) => row.id === Number(id));
  const chosen = rows.filter((row) => state.selected.has(row.id));
  const others = rows.filter((row) => !chosen.includes(row));
  const contenders = others.filter((row) => row.contender);
  const [second, first] = [...chosen, ...contenders, ...others.filter((row) => !row.contender)]; // the better one is B
  const a = (clips.a !== null && named(clips.a)) || first;
  const b = (clips.b !== null && named(clips.b) !== a && named(clips.b)) || [second, first].find((row) => row !== a);
  const metrics = Object.keys(a.perClip).filter((name) => name in b.perClip);
  if (!metrics.includes(clips.metric)) clips.metric = metrics[0] ?? null;
  const change = (name) => (value) => {
    clips[name] = value;
    drawClips();
    highlight();
  };
  const options = rows.map((row) => [String(row.id), row.method]);
  const swap = () => {
    [clips.a, clips.b] = [b.id, a.id];
    drawClips();
    highlight();
  };
  controls.replaceChildren(
    choice("A", options, String(a.id), change("a")),
    choice("B", options, String(b.id), change("b")),
    el("button", { type: "button", on: { click: swap } }, "Swap"),
    metrics.length > 1 ? choice("Metric", metrics.map((name) => [name, name.replace("@", "").replace("_", " ")]), clips.metric, change("metric")) : "",
  );
  const pairs = clipPairs(a, b);
  if (!pairs.length) return host.replaceChildren(el("p", { class: "missing" }, "These two have no clip in common that says anything of a metric."));
  const picture = el("div", { class: "picture" });
  host.replaceChildren(el("div", { class: "beside" }, picture, losses(pairs, a, b)));
  drawScatter(picture, pairs, a, b);
}

/** [{clip, a, b}, ...] of the clips for which both methods have a figure, A's largest loss first. */
function clipPairs(a, b) {
  const [first, second] = [a.perClip[clips.metric] ?? [], b.perClip[clips.metric] ?? []];
  const all = state.group.clipNames.map((clip, index) => ({ clip, a: first[index] ?? null, b: second[index] ?? null }));
  return all.filter((pair) => pair.a !== null && pair.b !== null).sort((p, q) => p.a - p.b - (q.a - q.b));
}

function drawScatter(host, pairs, a, b) {
  const values = pairs.flatMap((pair) => [pair.a, pair.b]);
  const lost = pairs.filter((pair) => pair.a < pair.b).length;
  const frame = plot(host, {
    xs: values, ys: values, height: Math.min(460, Math.max(300, host.clientWidth)),
    xTitle: `B: ${b.method}`, yTitle: `A: ${a.method}`,
    summary: `${clips.metric} of ${pairs.length} clips: A, ${a.method}, is below B, ${b.method}, in ${lost}.`,
  });
  const [low, high] = [Math.min(...values), Math.max(...values)];
  frame.root.append(svg("line", { class: "diagonal", x1: frame.x.at(low), y1: frame.y.at(low), x2: frame.x.at(high), y2: frame.y.at(high) }));
  for (const pair of pairs) {
    const point = svg("circle", { class: pair.a < pair.b ? "clip loses" : "clip", cx: frame.x.at(pair.b), cy: frame.y.at(pair.a), r: pairs.length > 100 ? 3 : 4.5 });
    if (frameOf(pair.clip) >= 0) point.addEventListener("click", () => showFrame(pair.clip));
    frame.root.append(describe(point, () => ({
      title: pair.clip, value: `A − B ${signed(pair.a - pair.b)}`, lines: [[`A, ${a.method}`, `${pair.a} %`], [`B, ${b.method}`, `${pair.b} %`]],
    })));
  }
}

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

function losses(pairs, a, b) {
  const shown = pairs.filter((pair) => pair.a < pair.b).slice(0, LISTED);
  const lost = pairs.filter((pair) => pair.a < pair.b).length;
  const name = (pair) => (frameOf(pair.clip) >= 0 ? el("button", { type: "button", class: "link", on: { click: () => showFrame(pair.clip) } }, pair.clip) : pair.clip);
  const line = (pair) => el("tr", {}, el("th", { scope: "row" }, name(pair)), [pair.a.toFixed(1), pair.b.toFixed(1), signed(pair.a - pair.b)].map((text) => el("td", {}, text)));
  const head = ["clip", "A", "B", "A − B"].map((text) => el("th", { scope: "col" }, text));
  return el("div", {},
    el("p", {}, `A is below B in ${lost} of ${pairs.length} clips.`),
    shown.length ? el("table", { class: "losses" }, el("caption", {}, `Where ${a.method} loses most to ${b.method}`), el("thead", {}, el("tr", {}, head)), el("tbody", {}, shown.map(line))) : null);
}

views.push(drawClips);
followers.push(() => {
  [clips.a, clips.b] = [null, null];
  drawClips();
  highlight();
});
whenResized(part("clips", "body"), drawClips);

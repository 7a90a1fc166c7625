// Two methods side by side, A and B: which two, and what is drawn of them.

import { keep } from "./address.js";
import { button, choice, el, missing, part } from "./dom.js";
import { drawClips, shared, unknown } from "./per_clip.js";
import { settingsOf } from "./settings.js";
import { rowNamed, state, visible } from "./state.js";
import { changed, followers, views, whenResized } from "./views.js";

const pair = { a: null, b: null, metric: null }; // row ids; null: chosen here

for (const side of ["a", "b"]) {
  keep(
    side,
    () => (pair[side] === null ? null : state.group.rows[pair[side]].method),
    ([name]) => {
      pair[side] = rowNamed(name)?.id ?? null;
    },
  );
}
keep(
  "clip_metric",
  () => pair.metric,
  ([metric = null]) => {
    pair.metric = metric;
  },
);

/** The two that are looked at: as asked, else the selected ones, else the best that compete; the better one is B. */
function chosen(rows) {
  const asked = (id) => rows.find((row) => row.id === id);
  const selected = rows.filter((row) => state.selected.has(row.id));
  const others = rows.filter((row) => !selected.includes(row));
  const contenders = others.filter((row) => row.contender);
  const [second, first] = [...selected, ...contenders, ...others.filter((row) => !row.contender)];
  const a = asked(pair.a) ?? [first, second].find((row) => row.id !== pair.b);
  const b = asked(pair.b) ?? [second, first].find((row) => row !== a);
  return a === b ? [a, rows.find((row) => row !== a)] : [a, b];
}

function drawPair() {
  const rows = visible().filter((row) => row.origin !== "published");
  const host = part("clips", "body");
  const controls = part("clips", "controls");
  if (rows.length < 2) {
    controls.replaceChildren();
    return host.replaceChildren(missing("Two methods measured here can be compared; there are fewer than two."));
  }
  const [a, b] = chosen(rows);
  const metrics = shared(a, b);
  const usual = metrics.find((name) => !unknown(a, b, name)) ?? metrics[0];
  const metric = metrics.includes(pair.metric) ? pair.metric : usual;
  const change = (known) => {
    Object.assign(pair, known);
    changed(drawPair);
  };
  const options = rows.map((row) => [String(row.id), row.method]);
  const named = metrics.map((name) => [name, name.replace("@", "").replace("_", " ")]);
  controls.replaceChildren(
    choice("A", options, String(a.id), (id) => change({ a: Number(id) })),
    choice("B", options, String(b.id), (id) => change({ b: Number(id) })),
    button("Swap", () => change({ a: b.id, b: a.id })),
    metrics.length > 1 ? choice("Metric", named, metric, (name) => change({ metric: name })) : "",
  );
  const clips = el("div", {});
  host.replaceChildren(clips, settingsOf(a, b));
  drawClips(clips, a, b, metric);
}

views.push(drawPair);
followers.push(() => {
  [pair.a, pair.b] = [null, null];
  drawPair();
});
whenResized(part("clips", "body"), drawPair);

// How long frames take, by kind: a mean hides that a key frame costs several times the others.

const latency = { scope: "step", log: true };
const SCOPES = [["step", "step"], ["step+decode", "step + decode"], ["end_to_end", "end to end"]];
const STRIP = 17;
const LEAST = 0.1; // milliseconds: a clock says nothing below, no network has run

function drawLatency() {
  const host = part("latency", "body");
  const rows = visible().filter((row) => Object.keys(row.latency).length);
  const change = (name) => (value) => {
    latency[name] = value;
    drawLatency();
    highlight();
  };
  part("latency", "controls").replaceChildren(...(rows.length ? [choice("Time of", SCOPES, latency.scope, change("scope")), check("logarithmic", latency.log, change("log"))] : []));
  if (!rows.length) return host.replaceChildren(el("p", { class: "missing" }, "No latency was measured in these runs."));
  const strips = rows.flatMap((row) => Object.entries(row.latency).map(([kind, samples], index) => ({ row, kind, samples, first: index === 0 })));
  const width = Math.max(host.clientWidth, 280);
  const left = Math.min(width * 0.42, Math.max(...rows.map((row) => pen.measureText(row.method).width)) + 80);
  const drawn = (time) => (latency.log ? Math.max(time, LEAST) : time);
  const across = scale(strips.flatMap(({ samples }) => samples[latency.scope].map(drawn)), left, width - 16, latency.log, 0.02);
  const x = { ...across, at: (time) => across.at(drawn(time)) };
  let y = 6;
  for (const strip of strips) {
    if (strip.first) y += 7;
    strip.y = y += STRIP;
  }
  const grid = svg("g", { class: "grid", "aria-hidden": "true" });
  for (const tick of thinned(x.ticks, x.at)) {
    grid.append(svg("line", { x1: x.at(tick), x2: x.at(tick), y1: 8, y2: y + 10 }));
    grid.append(svg("text", { x: x.at(tick), y: y + 26, "text-anchor": "middle" }, String(tick)));
  }
  grid.append(svg("text", { class: "axis", x: width - 16, y: y + 44, "text-anchor": "end" }, "milliseconds a frame"));
  const root = svg("svg", { width, height: y + 52, viewBox: `0 0 ${width} ${y + 52}`, role: "group", "aria-label": "Distribution of the latency by method and frame kind" }, grid);
  for (const strip of strips) root.append(latencyStrip(strip, x, left));
  host.replaceChildren(root, el("p", { class: "hint" }, "Every tick is 2.5 % of the timed frames; the thick part holds the middle half, the long tick is the median." + (latency.log ? ` Less than ${LEAST} ms is drawn as that.` : "")));
}

function latencyStrip({ row, kind, samples, first, y }, x, left) {
  const times = samples[latency.scope];
  const level = (share) => times[Math.round(share * (times.length - 1))];
  const ticks = times.map((time) => `M${x.at(time)},${y - 4}v8`).join("");
  const group = svg("g", { class: "point" },
    svg("rect", { class: "halo", x: 0, y: y - STRIP / 2, width: "100%", height: STRIP }),
    first ? svg("text", { class: "name", x: 0, y: y + 4 }, cut(row.method, left - 66)) : null,
    svg("text", { class: "kind", x: left - 10, y: y + 4, "text-anchor": "end" }, kind),
    svg("path", { class: `curve thin ${colour(row.family)}`, d: `M${x.at(times[0])},${y}H${x.at(times.at(-1))}${ticks}` }),
    svg("path", { class: `curve thick ${colour(row.family)}`, d: `M${x.at(level(0.25))},${y}H${x.at(level(0.75))}` }),
    svg("path", { class: "median", d: `M${x.at(level(0.5))},${y - 7}v14` }));
  const label = `${row.method}, ${kind} frames: median ${level(0.5)} ms, 90 % below ${level(0.9)} ms`;
  describe(group, () => ({
    title: `${row.method} · ${kind} frames`, value: `median ${level(0.5)} ms`,
    lines: [["25 to 75 %", `${level(0.25)} to ${level(0.75)} ms`], ["90 %", `${level(0.9)} ms`], ["slowest", `${times.at(-1)} ms`], ["timed frames of this kind", String(samples.n)], ...row.provenance.speed, ...row.provenance.run],
  }));
  return belongs(selectsAsButton(group, row, label), row);
}

views.push(drawLatency);
whenResized(part("latency", "body"), drawLatency);

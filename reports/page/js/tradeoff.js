// The Pareto plot: accuracy against what it costs, the front drawn, the rest stepping back.

const tradeoff = { x: null, y: "mIoU", log: null, machine: null };

function drawTradeoffControls() {
  const { columns } = state.group;
  const has = (one) => state.group.rows.filter((row) => Number.isFinite(row.values[one.key])).length > 0;
  const costs = columns.filter((one) => has(one) && (one.topic !== "accuracy" || /^VC/.test(one.key)));
  const accuracies = columns.filter((one) => has(one) && one.topic === "accuracy");
  const key = (list, wanted) => (list.some((one) => one.key === wanted) ? wanted : (list[0]?.key ?? null));
  tradeoff.x = key(costs, tradeoff.x ?? "GFLOPs");
  tradeoff.y = key(accuracies, tradeoff.y);
  const machines = [...new Set(state.group.rows.map((row) => row.machine).filter(Boolean))];
  tradeoff.machine = machines.includes(tradeoff.machine) ? tradeoff.machine : (machines[0] ?? null);
  const pairs = (list) => list.map((one) => [one.key, one.label]);
  const change = (name) => (value) => {
    tradeoff[name] = value;
    if (name === "x") tradeoff.log = null;
    drawTradeoffControls();
    drawTradeoff();
    highlight();
  };
  const speed = column(tradeoff.x)?.topic === "speed";
  tradeoff.log ??= spread(tradeoff.x) > 10;
  part("tradeoff", "controls").replaceChildren(...(!tradeoff.x || !tradeoff.y ? [] : [
    choice("Cost", pairs(costs), tradeoff.x, change("x")),
    choice("Accuracy", pairs(accuracies), tradeoff.y, change("y")),
    speed && machines.length > 1 ? choice("Machine", machines.map((name) => [name, name]), tradeoff.machine, change("machine")) : "",
    check("logarithmic", tradeoff.log, change("log")),
  ]));
}

/** How many times the largest figure is the smallest; 1 where a logarithm cannot show them. */
function spread(key) {
  const values = state.group.rows.map((row) => row.values[key]).filter(Number.isFinite);
  return values.length && Math.min(...values) > 0 ? Math.max(...values) / Math.min(...values) : 1;
}

/** Whether a row's cost is a lower bound only. */
const bounded = (row, x) => x.topic === "gflops" && row.uncounted;

/** The rows that no other beats in both figures; lower bounds and printed figures are not on the front. */
function front(rows, x, y) {
  const sign = x.better > 0 ? -1 : 1;
  const eligible = measured(rows).filter((row) => !bounded(row, x));
  const cost = (row) => sign * row.values[x.key];
  const beats = (a, b) => cost(a) <= cost(b) && a.values[y.key] >= b.values[y.key] && (cost(a) < cost(b) || a.values[y.key] > b.values[y.key]);
  return eligible.filter((row) => !eligible.some((other) => beats(other, row))).sort((a, b) => a.values[x.key] - b.values[x.key]);
}

function drawTradeoff() {
  const host = part("tradeoff", "body");
  const [x, y] = [column(tradeoff.x), column(tradeoff.y)];
  const rows = !x || !y ? [] : visible().filter((row) => Number.isFinite(row.values[x.key]) && Number.isFinite(row.values[y.key])
    && (x.topic !== "speed" || row.machine === tradeoff.machine));
  if (!rows.length) return host.replaceChildren(el("p", { class: "missing" }, "No method here has both an accuracy and a cost."));
  const better = x.better > 0 ? "more is better" : x.better < 0 ? "less is better" : "";
  const ends = rows.flatMap((row) => [row.values[y.key], row.intervals[y.key]?.low, row.intervals[y.key]?.high]).filter(Number.isFinite);
  const best = front(rows, x, y);
  const frame = plot(host, {
    xs: rows.map((row) => row.values[x.key]), ys: ends, log: tradeoff.log,
    xTitle: [x.label + (x.unit ? ` (${x.unit})` : ""), better].filter(Boolean).join(", "), yTitle: `${y.label} (%)`,
    summary: `${y.label} against ${x.label} of ${rows.length} methods. On the front: ${best.map((row) => row.method).join(", ")}.`,
  });
  const at = (row) => ({ row, x: frame.x.at(row.values[x.key]), y: frame.y.at(row.values[y.key]), text: row.method });
  frame.root.append(staircase(best.map(at), x.better > 0, frame));
  const order = [...best, ...rows.filter((row) => !best.includes(row))];
  const points = order.map(at);
  const room = { left: MARGIN.left, right: frame.width, top: 0, bottom: frame.height - MARGIN.bottom };
  const places = placed(points, room, [...points, ...points.filter(({ row }) => bounded(row, x)).map((point) => ({ x: point.x + 14, y: point.y }))]);
  points.forEach((point, index) => frame.root.append(tradeoffPoint(point, places[index], best.includes(point.row), frame, x, y)));
  const hidden = points.filter((_, index) => !places[index]).length;
  const notes = [
    "The line joins the methods that no other beats in both.",
    rows.some((row) => bounded(row, x)) ? "An arrow marks a lower bound: some of the method's work is not counted." : "",
    rows.some((row) => row.origin === "published") ? "Hollow: published, as printed." : "",
    hidden ? `${hidden} names find no room; they are shown on hover and focus.` : "",
  ];
  host.append(el("p", { class: "hint" }, notes.filter(Boolean).join(" ")));
}

/** What the front dominates is below and beside it: a line of steps. */
function staircase(points, more, frame) {
  if (!points.length) return svg("g");
  const steps = points.slice(1).map((point, index) => (more ? `V${point.y}H${point.x}` : `H${point.x}V${point.y}`));
  const [start, end] = more
    ? [`M${MARGIN.left},${points[0].y}H${points[0].x}`, `V${frame.height - MARGIN.bottom}`]
    : [`M${points[0].x},${frame.height - MARGIN.bottom}V${points[0].y}`, `H${frame.width - MARGIN.right}`];
  return svg("path", { class: "front", d: start + steps.join("") + end });
}

function tradeoffPoint({ row, x: left, y: top }, place, onFront, frame, x, y) {
  const group = svg("g", { class: onFront ? "point" : "point dominated" });
  const interval = row.intervals[y.key];
  if (interval?.low !== undefined)
    group.append(svg("line", { class: `error ${colour(row.family)}`, x1: left, x2: left, y1: frame.y.at(interval.low), y2: frame.y.at(interval.high) }));
  if (bounded(row, x)) group.append(svg("path", { class: `error ${colour(row.family)}`, d: `M${left},${top}h20m-5,-4l5,4l-5,4` }));
  group.append(svg("circle", { class: "halo", cx: left, cy: top, r: 11 }), mark(row, left, top, 5));
  const text = place ?? { x: left + 10, y: top - 8, anchor: left > frame.width / 2 ? "end" : "start" };
  group.append(svg("text", { class: place ? "name" : "name crowded", x: text.x, y: text.y, "text-anchor": text.anchor }, row.method));
  const label = `${row.method}: ${y.label} ${printed(row.values[y.key], y)} %, ${x.label} ${printed(row.values[x.key], x)} ${x.unit}`;
  describe(group, () => {
    const [first, second] = [figureCard(row, y.key), figureCard(row, x.key)];
    return { title: row.method, value: `${y.label} ${first.value}, ${x.label} ${second.value}`, lines: second.lines };
  });
  return belongs(selectsAsButton(group, row, label), row);
}

views.push(drawTradeoffControls, drawTradeoff);
whenResized(part("tradeoff", "body"), () => (drawTradeoff(), highlight()));

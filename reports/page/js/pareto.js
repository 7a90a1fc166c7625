// The Pareto plot: accuracy against what it costs, the front drawn, the rest stepping back.

const tradeoff = { x: null, y: null, log: null };

function drawTradeoffControls() {
  const usable = state.group.columns.filter((one) => one.better && state.group.rows.some((row) => figure(row, one.title) !== null));
  const costs = usable.filter((one) => one.topic !== "accuracy" || one.key.startsWith("VC@"));
  const accuracies = usable.filter((one) => one.topic === "accuracy");
  const titled = (list, wanted) => (list.find((one) => one.title === wanted) ?? list[0])?.title ?? null;
  tradeoff.x = titled(costs, tradeoff.x ?? "GFLOPs");
  tradeoff.y = titled(accuracies, tradeoff.y ?? FIRST);
  tradeoff.log ??= spread(tradeoff.x) > 10;
  const change = (name) => (value) => {
    tradeoff[name] = value;
    if (name === "x") tradeoff.log = null;
    drawTradeoffControls();
    drawTradeoff();
    highlight();
  };
  const titles = (list) => list.map((one) => [one.title, one.title]);
  part("tradeoff", "controls").replaceChildren(...(!tradeoff.x || !tradeoff.y ? [] : [
    choice("Cost", titles(costs), tradeoff.x, change("x")),
    choice("Accuracy", titles(accuracies), tradeoff.y, change("y")),
    check("logarithmic", tradeoff.log, change("log")),
  ]));
}

/** How many times the largest figure is the smallest; 1 where a logarithm cannot show them. */
function spread(title) {
  const values = state.group.rows.map((row) => figure(row, title)).filter((value) => value !== null);
  return values.length && Math.min(...values) > 0 ? Math.max(...values) / Math.min(...values) : 1;
}

/** The contenders that no other beats in both figures, by cost; a lower bound beats nobody. */
function front(rows, x, y) {
  const eligible = rows.filter((row) => row.contender && !isBound(row, x));
  const cost = (row) => -x.better * figure(row, x.title);
  const gain = (row) => figure(row, y.title);
  const beats = (a, b) => cost(a) <= cost(b) && gain(a) >= gain(b) && (cost(a) < cost(b) || gain(a) > gain(b));
  return eligible.filter((row) => !eligible.some((other) => beats(other, row))).sort((a, b) => figure(a, x.title) - figure(b, x.title));
}

function drawTradeoff() {
  const host = part("tradeoff", "body");
  const [x, y] = [column(tradeoff.x), column(tradeoff.y)];
  const rows = x && y ? visible().filter((row) => figure(row, x.title) !== null && figure(row, y.title) !== null) : [];
  if (!rows.length) return host.replaceChildren(el("p", { class: "missing" }, "No method here has both an accuracy and a cost."));
  const best = front(rows, x, y);
  const frame = plot(host, {
    xs: rows.map((row) => figure(row, x.title)),
    ys: rows.flatMap((row) => [figure(row, y.title), row.cells[y.title].low, row.cells[y.title].high]),
    log: tradeoff.log,
    xTitle: `${x.title}, ${x.better > 0 ? "more" : "less"} is better`,
    yTitle: `${y.title} (%)`,
    summary: `${y.title} against ${x.title} of ${rows.length} methods. On the front: ${best.map((row) => row.method).join(", ") || "none"}.`,
  });
  const at = (row) => ({ row, x: frame.x.at(figure(row, x.title)), y: frame.y.at(figure(row, y.title)), text: cut(row.short, 200) });
  const corners = staircase(best.map(at), x.better > 0, frame);
  frame.root.append(svg("path", { class: "front", d: corners.length ? `M${corners.join("L")}` : "" }));
  const points = [...best, ...rows.filter((row) => !best.includes(row))].map(at);
  const arrows = points.filter(({ row }) => isBound(row, x)).map((point) => ({ x: point.x + 14, y: point.y }));
  const room = { left: MARGIN.left, right: frame.width, top: 0, bottom: frame.height - MARGIN.bottom };
  const places = placed(points, room, [...points, ...arrows], corners);
  points.forEach((point, index) => frame.root.append(tradeoffPoint(point, places[index], best.includes(point.row), frame, x, y)));
  const hidden = places.filter((place) => !place).length;
  host.append(el("p", { class: "hint" }, [
    best.length ? "The line joins the methods that no other beats in both." : "",
    arrows.length ? "An arrow marks a lower bound: some of the method's work is not counted." : "",
    rows.some((row) => row.origin === "published") ? "Hollow: published, as printed." : "",
    hidden ? `Names without room (${hidden}) are shown on hover and focus.` : "",
  ].filter(Boolean).join(" ")));
}

/** The corners of the line of steps around what the front dominates, from left to right. */
function staircase(points, more, frame) {
  if (!points.length) return [];
  const [first, last, bottom] = [points[0], points.at(-1), frame.height - MARGIN.bottom];
  const steps = points.slice(1).flatMap(({ x, y }, index) => [more ? [points[index].x, y] : [x, points[index].y], [x, y]]);
  const start = more ? [MARGIN.left, first.y] : [first.x, bottom];
  const end = more ? [last.x, bottom] : [frame.width - MARGIN.right, last.y];
  return [start, [first.x, first.y], ...steps, end];
}

function tradeoffPoint({ row, x: left, y: top }, place, onFront, frame, x, y) {
  const { low, high } = row.cells[y.title];
  const arrow = isBound(row, x) ? `M${left},${top}h20m-5,-4l5,4l-5,4` : "";
  const interval = low === undefined ? "" : `M${left},${frame.y.at(low)}V${frame.y.at(high)}`;
  const text = place ?? { x: left, y: top - 12, anchor: left > frame.width / 2 ? "end" : "start" };
  const group = svg("g", { class: onFront ? "point" : "point dominated" },
    svg("path", { class: `error ${colour(row.family)}`, d: interval + arrow }),
    svg("circle", { class: "halo", cx: left, cy: top, r: 11 }),
    mark(row, left, top, 5),
    svg("text", { class: place ? "name" : "name crowded", x: text.x, y: text.y, "text-anchor": text.anchor }, cut(row.short, 200)));
  const told = (one) => `${one.title} ${row.cells[one.title].text}`;
  describe(group, () => ({ ...figureCard(row, x.title), title: row.method, value: `${told(y)}, ${told(x)}` }));
  return belongs(selectsAsButton(group, row, `${row.method}: ${told(y)}, ${told(x)}`), row);
}

views.push(drawTradeoffControls, drawTradeoff);
whenResized(part("tradeoff", "body"), drawTradeoff);

// How a prediction ages: mIoU over the frames since the key frame.

function drawDistance() {
  const host = part("distance", "body");
  const shown = new Set(visible().map((row) => row.id));
  const curves = state.group.ageing.filter((curve) => curve.row === null || shown.has(curve.row));
  if (!curves.length) return host.replaceChildren(el("p", { class: "missing" }, "No method here was measured at several distances to its key frames."));
  const all = curves.flatMap((curve) => curve.points);
  const names = Math.min(Math.max(...curves.map((curve) => pen.measureText(curveName(curve)).width)) + 20, host.clientWidth / 3);
  const frame = plot(host, {
    xs: all.map(([distance]) => distance), ys: all.map(([, value]) => value), height: 360, right: names, integers: true,
    xTitle: "frames since the key frame", yTitle: "mIoU (%)",
    summary: `mIoU by distance to the key frame of ${curves.map((curve) => curve.name).join(", ")}.`,
  });
  const ends = curves.map((curve) => ({ curve, at: frame.y.at(curve.points.at(-1)[1]) })).sort((a, b) => a.at - b.at);
  spreadOut(ends, frame.height - MARGIN.bottom + 10);
  for (const { curve, at } of ends) frame.root.append(ageing(curve, at, frame, names));
}

/** As the other plots name the method. */
const curveName = ({ name, row }) => (row === null ? name : state.group.rows[row].short);

/** Move the ends apart so that their names can be read: down from the first, then up from the lowest place. */
function spreadOut(ends, lowest) {
  ends.forEach((end, index) => (end.at = Math.max(end.at, index ? ends[index - 1].at + 14 : MARGIN.top)));
  for (let index = ends.length - 1, limit = lowest; index >= 0; index--, limit = ends[index + 1].at - 14) ends[index].at = Math.min(ends[index].at, limit);
}

function ageing({ name, row: id, points }, nameAt, frame, names) {
  const row = id === null ? null : state.group.rows[id];
  const at = ([distance, value]) => [frame.x.at(distance), frame.y.at(value)];
  const [endX, endY] = at(points.at(-1));
  const left = frame.width - names + 14;
  const group = svg("g", { class: "point" },
    svg("path", { class: `curve ${row ? colour(row.family) : "joined"}`, d: `M${points.map(at).join("L")}` }),
    svg("line", { class: "leader", x1: endX + 5, y1: endY, x2: left - 3, y2: nameAt }),
    svg("text", { class: "name", x: left, y: nameAt + 4 }, cut(curveName({ name, row: id }), names - 14)));
  for (const point of points) {
    const dot = row ? mark(row, ...at(point), 3.5) : svg("circle", { class: "mark joined", cx: at(point)[0], cy: at(point)[1], r: 3.5 });
    const lines = row ? [...row.provenance.accuracy, ...row.provenance.run] : [["joined", "the phases of a sweep"]];
    group.append(describe(dot, () => ({ title: `${name} · distance ${point[0]}`, value: `${point[1]} % mIoU`, lines })));
  }
  const said = `${name}: ${points.map(([distance, value]) => `${value.toFixed(1)} % at ${distance}`).join(", ")}`;
  return row ? belongs(selectsAsButton(group, row, said), row) : group;
}

views.push(drawDistance);
whenResized(part("distance", "body"), drawDistance);

// How a prediction ages: mIoU over the frames since the key frame.

function drawDistance() {
  const host = part("distance", "body");
  const lines = (row) => row.distance.filter(([, value]) => value !== null);
  const rows = visible().filter((row) => lines(row).length > 1);
  if (!rows.length) return host.replaceChildren(el("p", { class: "missing" }, "No method here was measured at several distances to its key frames."));
  const all = rows.flatMap(lines);
  const names = Math.min(Math.max(...rows.map((row) => pen.measureText(row.method).width)) + 20, host.clientWidth / 3);
  const frame = plot(host, {
    xs: all.map(([distance]) => distance), ys: all.map(([, value]) => value), height: 360, right: names, integers: true,
    xTitle: "frames since the key frame", yTitle: "mIoU (%)",
    summary: `mIoU by distance to the key frame of ${rows.map((row) => row.method).join(", ")}.`,
  });
  const ends = rows.map((row) => ({ row, at: frame.y.at(lines(row).at(-1)[1]) })).sort((a, b) => a.at - b.at);
  ends.forEach((end, index) => (end.at = Math.max(end.at, index ? ends[index - 1].at + 14 : MARGIN.top + 6)));
  for (const { row, at } of ends) frame.root.append(ageing(row, lines(row), at, frame, names));
}

function ageing(row, points, nameAt, frame, names) {
  const path = points.map(([distance, value], index) => `${index ? "L" : "M"}${frame.x.at(distance)},${frame.y.at(value)}`).join("");
  const group = svg("g", { class: "point" }, svg("path", { class: `curve ${colour(row.family)}`, d: path }));
  for (const [distance, value, pixels] of points)
    group.append(describe(mark(row, frame.x.at(distance), frame.y.at(value), 3.5), () => ({
      title: `${row.method} · distance ${distance}`, value: `${value} % mIoU`, lines: [["labelled pixels", pixels.toLocaleString("en")], ...row.provenance.accuracy, ...row.provenance.run],
    })));
  const last = points.at(-1);
  const left = frame.width - names + 14;
  group.append(svg("line", { class: "leader", x1: frame.x.at(last[0]) + 5, y1: frame.y.at(last[1]), x2: left - 3, y2: nameAt }));
  group.append(svg("text", { class: "name", x: left, y: nameAt + 4 }, cut(row.method, names - 14)));
  return belongs(selectsAsButton(group, row, `${row.method}: ${points.map(([distance, value]) => `${value.toFixed(1)} % at ${distance}`).join(", ")}`), row);
}

views.push(drawDistance);
whenResized(part("distance", "body"), () => (drawDistance(), highlight()));

// Names beside points: each where it covers no point, no line and no other name.

const pen = document.createElement("canvas").getContext("2d");
pen.font = "11.5px system-ui, sans-serif";

/**
 * points: [{x, y, text}, ...] in order of importance; corners: of a line that names keep off.
 * Gives for each point {x, y, anchor}, or null where there is no room.
 */
function placed(points, box, obstacles, corners) {
  const taken = obstacles.map(({ x, y }) => [x - 7, y - 7, x + 7, y + 7]);
  corners.slice(1).forEach(([x, y], index) => {
    const [left, top] = corners[index];
    taken.push([Math.min(left, x) - 1, Math.min(top, y) - 1, Math.max(left, x) + 1, Math.max(top, y) + 1]);
  });
  return points.map((point) => {
    const width = pen.measureText(point.text).width;
    for (const distance of [10, 18, 28])
      for (const [dx, dy] of [[1, 0], [-1, 0], [0.8, -1], [-0.8, -1], [0.8, 1], [-0.8, 1], [0, -1], [0, 1]]) {
        const anchor = dx > 0 ? "start" : dx < 0 ? "end" : "middle";
        const x = point.x + dx * distance;
        const y = point.y + dy * distance + 4;
        const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
        const area = [left - 2, y - 11, left + width + 2, y + 3];
        const inside = area[0] >= box.left && area[2] <= box.right && area[1] >= box.top && area[3] <= box.bottom;
        if (inside && !taken.some((other) => overlap(area, other))) {
          taken.push(area);
          return { x, y, anchor };
        }
      }
    return null;
  });
}

/** The text, cut with an ellipsis where it is wider than so many pixels. */
function cut(text, width) {
  if (pen.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && pen.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return `${text.slice(0, length)}…`;
}

const overlap = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

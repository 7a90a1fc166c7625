// Names beside points: each where it covers no point, no line and no other name.

import { el, svg } from "./dom.js";

export const LONGEST = 200; // pixels of a name beside a point
export const pen = document.createElement("canvas").getContext("2d");
pen.font = "11.5px system-ui, sans-serif";

/**
 * points: [{x, y, text}, ...] in order of importance; corners: of a line that names keep off.
 * Gives for each point {x, y, anchor}, or null where there is no room.
 */
export function placed(points, box, obstacles, corners) {
  const taken = obstacles.map(({ x, y }) => [x - 7, y - 7, x + 7, y + 7]);
  corners.slice(1).forEach(([x, y], index) => {
    const [left, top] = corners[index];
    taken.push([Math.min(left, x) - 1, Math.min(top, y) - 1, Math.max(left, x) + 1, Math.max(top, y) + 1]);
  });
  return points.map((point) => {
    const width = shownWidth(point.text);
    for (const distance of [10, 18, 28])
      for (const [dx, dy] of [
        [1, 0],
        [-1, 0],
        [0.8, -1],
        [-0.8, -1],
        [0.8, 1],
        [-0.8, 1],
        [0, -1],
        [0, 1],
      ]) {
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

/** A name at a point, of which no more than `room` pixels are seen. The text stays whole, as it is a button's label. */
export function nameAt(text, x, y, { room, anchor = "start", style = "name" }) {
  const width = pen.measureText(text).width;
  if (width <= room) return svg("text", { class: style, x, y, "text-anchor": anchor }, text);
  const left = { start: x, middle: x - room / 2, end: x - room }[anchor];
  return svg("foreignObject", { x: left, y: y - 13, width: room, height: 18 }, el("div", { class: style }, text));
}

/** How wide a name is drawn. */
const shownWidth = (text) => Math.min(pen.measureText(text).width, LONGEST);

const overlap = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

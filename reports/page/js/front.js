// Which methods no other beats in both figures, and the line of steps that joins them.

import { MARGIN } from "./axes.js";
import { figure, isBound } from "./state.js";

/** The contenders that no other beats in both figures, by cost; a lower bound beats nobody. */
export function front(rows, x, y) {
  const eligible = rows.filter((row) => row.contender && !isBound(row, x));
  const cost = (row) => -x.better * figure(row, x.title);
  const gain = (row) => y.better * figure(row, y.title);
  const beats = (a, b) => cost(a) <= cost(b) && gain(a) >= gain(b) && (cost(a) < cost(b) || gain(a) > gain(b));
  const best = eligible.filter((row) => !eligible.some((other) => beats(other, row)));
  return best.sort((a, b) => figure(a, x.title) - figure(b, x.title));
}

/** The corners of the line of steps around what the front dominates, from left to right. more: more of x is better. */
export function staircase(points, more, frame) {
  if (!points.length) return [];
  const [first, last, bottom] = [points[0], points.at(-1), frame.height - MARGIN.bottom];
  const steps = points
    .slice(1)
    .flatMap(({ x, y }, index) => [more ? [points[index].x, y] : [x, points[index].y], [x, y]]);
  const start = more ? [frame.left, first.y] : [first.x, bottom];
  const end = more ? [last.x, bottom] : [frame.width - MARGIN.right, last.y];
  return [start, [first.x, first.y], ...steps, end];
}

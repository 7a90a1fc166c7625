// How a method is drawn everywhere: a colour and a shape by its family, as in the other plots of the report; hollow
// where its figures are printed ones.

import { svg } from "./dom.js";
import { data } from "./state.js";

/** The path of some corners and of their turns by a quarter. */
function polygon(r, corners) {
  const turned = [0, 1, 2, 3].flatMap((turns) => {
    const [cos, sin] = [
      [1, 0],
      [0, 1],
      [-1, 0],
      [0, -1],
    ][turns];
    return corners.map(([x, y]) => `${r * (x * cos - y * sin)},${r * (x * sin + y * cos)}`);
  });
  return `M${turned.join("L")}Z`;
}

const SHAPES = [
  (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`, // circle
  (r) => `M${-r},${-r}H${r}V${r}H${-r}Z`, // square
  (r) => `M0,${-1.35 * r}L${1.35 * r},0L0,${1.35 * r}L${-1.35 * r},0Z`, // diamond
  (r) => `M0,${-1.25 * r}L${1.2 * r},${0.95 * r}H${-1.2 * r}Z`, // triangle
  (r) => `M0,${1.25 * r}L${1.2 * r},${-0.95 * r}H${-1.2 * r}Z`, // triangle, point down
  (r) =>
    polygon(r, [
      [-1, -0.4],
      [-0.4, -0.4],
      [-0.4, -1],
    ]), // plus
  (r) =>
    polygon(r, [
      [0, -0.45],
      [0.6, -1.05],
      [1.05, -0.6],
    ]), // cross
];

for (const [index, [light, dark]] of data.palette.entries()) {
  document.documentElement.style.setProperty(`--c${index}`, `light-dark(${light}, ${dark})`);
}

/** The class that gives a family its colour: by its place in the whole report, as in the other plots. */
export const colour = (family) => `c${data.families.indexOf(family) % data.palette.length}`;

/** A method's mark at a point. */
export function mark(row, x, y, size = 5) {
  const shape = SHAPES[data.families.indexOf(row.family) % SHAPES.length];
  const hollow = row.origin === "published" ? " hollow" : "";
  return svg("path", {
    class: `mark ${colour(row.family)}${hollow}`,
    d: shape(size),
    transform: `translate(${x} ${y})`,
  });
}

/** The mark as a picture in a line of text. */
export const glyph = (row) =>
  svg("svg", { class: "glyph", width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" }, mark(row, 0, 0));

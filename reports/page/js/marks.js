// How a method is drawn everywhere: a colour and a shape by its family, as in the other plots of the report; hollow where its figures are printed ones.

const SHAPES = [
  (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`, // circle
  (r) => `M${-r},${-r}H${r}V${r}H${-r}Z`, // square
  (r) => `M0,${-1.35 * r}L${1.35 * r},0L0,${1.35 * r}L${-1.35 * r},0Z`, // diamond
  (r) => `M0,${-1.25 * r}L${1.2 * r},${0.95 * r}H${-1.2 * r}Z`, // triangle
  (r) => `M0,${1.25 * r}L${1.2 * r},${-0.95 * r}H${-1.2 * r}Z`, // triangle, point down
  (r) => `M${-r},${-0.4 * r}H${-0.4 * r}V${-r}H${0.4 * r}V${-0.4 * r}H${r}V${0.4 * r}H${0.4 * r}V${r}H${-0.4 * r}V${0.4 * r}H${-r}Z`, // plus
  (r) => `M0,${-0.45 * r}L${0.6 * r},${-1.05 * r}L${1.05 * r},${-0.6 * r}L${0.45 * r},0L${1.05 * r},${0.6 * r}L${0.6 * r},${1.05 * r}L0,${0.45 * r}L${-0.6 * r},${1.05 * r}L${-1.05 * r},${0.6 * r}L${-0.45 * r},0L${-1.05 * r},${-0.6 * r}L${-0.6 * r},${-1.05 * r}Z`, // cross
];

/** The class that gives a family its colour. */
const colour = (family) => `c${families(state.group).indexOf(family) % data.palette.length}`;

/** A method's mark at a point. */
function mark(row, x, y, size = 5) {
  const shape = SHAPES[families(state.group).indexOf(row.family) % SHAPES.length];
  const hollow = row.origin === "published" ? " hollow" : "";
  return svg("path", { class: `mark ${colour(row.family)}${hollow}`, d: shape(size), transform: `translate(${x} ${y})` });
}

/** The mark as a picture in a line of text. */
const glyph = (row) => svg("svg", { class: "glyph", width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" }, mark(row, 0, 0));

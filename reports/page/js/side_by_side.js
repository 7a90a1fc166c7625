// One frame under every method: image, ground truth and predictions, and the classes of the pixel that is pointed at.

import { blended, painted, pixels, VOID, wrong } from "./pictures.js";
import { methodButton } from "./selection.js";
import { state, visible } from "./state.js";
import { highlight } from "./views.js";

/** What every method made of a frame, into `grid`. show: errors, prediction or labels */
export async function paintFrame(frame, show, grid, readout) {
  const rows = new Map(visible().map((row) => [row.id, row]));
  const asked = (one) => rows.has(one.row) && (!state.selected.size || state.selected.has(one.row));
  const predictions = frame.predictions.filter(asked);
  const image = frame.image ? await pixels(`data:image/jpeg;base64,${frame.image}`) : null;
  const truth = frame.image ? await pixels(`data:image/png;base64,${frame.labels}`, image) : null;
  const maps = await Promise.all(predictions.map((one) => pixels(`data:image/png;base64,${one.labels}`, image)));
  if (!grid.isConnected) return; // something else is looked at by now
  const name = (id) => (id === VOID ? "no label" : (state.group.classes[id] ?? "no class"));
  const read = (labels, method) => (place) => {
    const said = [truth ? `Truth: ${name(truth.data[4 * place])}` : ""];
    if (labels) said.push(`${method}: ${name(labels.data[4 * place])}`);
    readout.textContent = said.filter(Boolean).join(" · ");
  };
  const share = show === "labels" ? 1 : 0.6;
  const figures = !image
    ? []
    : [
        painted(image, "image", "image", read(null)),
        painted(blended(image, truth, share), "ground truth", "ground truth", read(null)),
      ];
  for (const [index, one] of predictions.entries()) {
    const labels = maps[index];
    const row = rows.get(one.row);
    const errors = show === "errors" && truth;
    const picture = errors ? wrong(image, truth, labels) : blended(image, labels, share);
    const age = one.age ? `, ${one.age} after the key frame` : "";
    const detail = `${one.accuracy.toFixed(1)} % right · ${one.kind}${age}`;
    const label = `${row.method}, ${one.accuracy} % right`;
    figures.push(painted(picture, methodButton(row), label, read(labels, row.method), detail));
  }
  grid.replaceChildren(...figures);
  highlight();
}

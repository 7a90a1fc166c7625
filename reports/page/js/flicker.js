// Where a clip's labels changed from one frame to the next although no motion explains it, the worst places first.

import { byId, el, hint } from "./dom.js";
import { mixed, pixels } from "./pictures.js";
import { methodButton } from "./selection.js";
import { state, visible } from "./state.js";
import { highlight } from "./views.js";

const UNEXPLAINED = [230, 80, 30];

export function drawFlicker(clip) {
  const host = byId("flicker");
  const rows = new Map(visible().map((row) => [row.id, row]));
  const shown = (one) =>
    one.clip === clip && rows.has(one.row) && (!state.selected.size || state.selected.has(one.row));
  const places = state.group.flicker.filter(shown);
  if (!places.length) return host.replaceChildren();
  const what = "Pixels whose label changed since the previous frame although no motion explains it,";
  const strip = { class: "flicker-strip", tabindex: 0, role: "group", "aria-label": `Flicker in ${clip}, worst first` };
  host.replaceChildren(
    el("h3", {}, `Flicker in ${clip}`),
    hint(what, "in percent of what can be compared; worst first."),
    el(
      "div",
      strip,
      places.map((one) => placeOf(one, rows.get(one.row))),
    ),
  );
  highlight();
}

function placeOf(one, row) {
  const share = one.share < 10 ? one.share.toFixed(1) : one.share.toFixed(0);
  const place = `frame ${one.stem || one.index}`;
  const canvas = el("canvas", { role: "img", "aria-label": `${row.method}, ${place}: ${share} % changed` });
  paintFlicker(canvas, one);
  return el("figure", {}, canvas, el("figcaption", {}, methodButton(row), el("small", {}, `${place} · ${share} %`)));
}

/** The prediction in pale colours, and over it what changed, which is grey where its picture was made smaller. */
async function paintFlicker(canvas, one) {
  const labels = await pixels(`data:image/png;base64,${one.labels}`);
  const changed = await pixels(`data:image/png;base64,${one.changed}`, labels);
  const picture = mixed(labels, (place) => {
    const hex = state.group.colours[labels.data[place]];
    const value = hex ? parseInt(hex, 16) : 0;
    const part = Math.min(1, (2 * changed.data[place]) / 255);
    const pale = [value >> 16, (value >> 8) & 255, value & 255].map((own) => 90 + 0.35 * own);
    return pale.map((own, channel) => part * UNEXPLAINED[channel] + (1 - part) * own);
  });
  Object.assign(canvas, { width: picture.width, height: picture.height });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

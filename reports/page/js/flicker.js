// Where a clip's labels changed from one frame to the next although no motion explains it, the worst places first.

const UNEXPLAINED = [230, 80, 30];

function drawFlicker(clip) {
  const host = byId("flicker");
  const rows = new Map(visible().map((row) => [row.id, row]));
  const shown = (one) => one.clip === clip && rows.has(one.row) && (!state.selected.size || state.selected.has(one.row));
  const places = state.group.flicker.filter(shown);
  if (!places.length) return host.replaceChildren();
  const title = el("h3", {}, `Flicker in ${clip}`);
  const hint = el("p", { class: "hint" }, "Pixels whose label changed since the frame before although no motion explains it, in percent of what can be compared; worst first.");
  host.replaceChildren(title, hint, el("div", { class: "flicker-strip", tabindex: 0, role: "group", "aria-label": `Flicker in ${clip}, worst first` }, places.map((one) => placeOf(one, rows.get(one.row)))));
  highlight();
}

function placeOf(one, row) {
  const share = one.share < 10 ? one.share.toFixed(1) : one.share.toFixed(0);
  const label = `${row.method}, frame ${one.stem || one.index}: ${share} % changed`;
  const canvas = el("canvas", { role: "img", "aria-label": label });
  paintFlicker(canvas, one);
  return el("figure", {}, canvas, el("figcaption", {}, methodButton(row), el("small", {}, `frame ${one.stem || one.index} · ${share} %`)));
}

/** The prediction in pale colours, and over it what changed; the picture of changes is grey where it was made smaller. */
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

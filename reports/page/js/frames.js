// The frames that the methods got most wrong, side by side: prediction and errors painted over the image.

const framesView = { at: 0, show: "errors" };
const SHOWS = [["errors", "errors"], ["prediction", "prediction"], ["labels", "labels alone"]];
const VOID = 255;

/** The place of a clip's first kept frame; -1 where none is in this page. */
const frameOf = (clip) => state.group.frames.findIndex((frame) => frame.clip === clip);

/** Look at a clip's frame. */
function showFrame(clip) {
  framesView.at = frameOf(clip);
  drawFrames();
  byId("frames").scrollIntoView();
  byId("frame-title").focus({ preventScroll: true });
}

function drawFrames() {
  const host = part("frames", "body");
  const { frames, framesLeftOut } = state.group;
  drawFlicker(frames[Math.min(Math.max(framesView.at, 0), frames.length - 1)]?.clip);
  if (!frames.length) {
    part("frames", "controls").replaceChildren();
    return host.replaceChildren(el("p", { class: "missing" }, "These runs kept no frames (vssbench run --keep-frames N)."));
  }
  framesView.at = Math.min(Math.max(framesView.at, 0), frames.length - 1);
  const change = (value) => {
    framesView.show = value;
    drawFrames();
  };
  part("frames", "controls").replaceChildren(choice("Show", SHOWS, framesView.show, change));
  const frame = frames[framesView.at];
  const title = el("h3", { id: "frame-title", tabindex: -1 }, `${frame.clip} · frame ${frame.stem || frame.index}`);
  const grid = el("div", { class: "frame-grid" });
  const readout = el("p", { class: "hint", id: "readout" }, "Hover a picture to read its classes.");
  const left = framesLeftOut ? el("p", { class: "hint" }, `${framesLeftOut} further frames are in the run's folder and found no room in this page.`) : null;
  host.replaceChildren(...[strip(frames), title, readout, grid, left].filter(Boolean));
  paintFrame(frame, grid, readout);
}

/** The frames to choose from, the worst first. */
function strip(frames) {
  const thumb = (frame, index) => {
    const accuracies = frame.predictions.map((one) => one.accuracy);
    const mean = accuracies.reduce((sum, value) => sum + value, 0) / accuracies.length;
    const worst = frame.predictions.filter((one) => one.worst).map((one) => state.group.rows[one.row].method);
    const press = () => {
      framesView.at = index;
      drawFrames();
      part("frames", "body").querySelectorAll(".strip button")[index].focus();
    };
    const picture = el("img", { src: `data:image/jpeg;base64,${frame.image}`, alt: "" });
    const button = el("button", { type: "button", "aria-pressed": index === framesView.at, on: { click: press } }, picture, el("span", {}, frame.clip), el("span", {}, `${mean.toFixed(0)} % right`));
    return describe(button, () => ({ title: `${frame.clip}, frame ${frame.index}`, value: `${mean.toFixed(1)} % of the labelled pixels right, mean over methods`, lines: [["among the worst of", worst.join(", ")]] }));
  };
  return el("div", { class: "strip", role: "group", "aria-label": "Frames, worst first" }, frames.map(thumb));
}

async function paintFrame(frame, grid, readout) {
  const rows = new Map(visible().map((row) => [row.id, row]));
  const chosen = frame.predictions.filter((one) => rows.has(one.row) && (!state.selected.size || state.selected.has(one.row)));
  const image = await pixels(`data:image/jpeg;base64,${frame.image}`);
  const truth = await pixels(`data:image/png;base64,${frame.labels}`, image);
  const read = (labels, method) => (place) => {
    const name = (id) => (id === VOID ? "no label" : (state.group.classes[id] ?? "no class"));
    readout.textContent = `Truth: ${name(truth.data[4 * place])}` + (labels ? ` · ${method}: ${name(labels.data[4 * place])}` : "");
  };
  const figures = [
    painted(image, "image", "image", read(null)),
    painted(blended(image, truth, framesView.show === "labels" ? 1 : 0.6), "ground truth", "ground truth", read(null)),
  ];
  const maps = await Promise.all(chosen.map((one) => pixels(`data:image/png;base64,${one.labels}`, image)));
  if (!grid.isConnected) return; // something else is looked at by now
  for (const [index, one] of chosen.entries()) {
    const labels = maps[index];
    const row = rows.get(one.row);
    const picture = framesView.show === "errors" ? wrong(image, truth, labels) : blended(image, labels, framesView.show === "labels" ? 1 : 0.6);
    const age = one.age ? `, ${one.age} after the key frame` : "";
    figures.push(painted(picture, methodButton(row), `${row.method}, ${one.accuracy} % right`, read(labels, row.method), `${one.accuracy.toFixed(1)} % right · ${one.kind}${age}`));
  }
  grid.replaceChildren(...figures);
  highlight();
}

/** The pixels of a picture, at the size of another where that is given; label maps are not smoothed. */
async function pixels(source, like = null) {
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  const [width, height] = like ? [like.width, like.height] : [picture.naturalWidth, picture.naturalHeight];
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** The image under the colours of the labels; what has none keeps the image's. */
function blended(image, labels, share) {
  return mixed(image, (place, [r, g, b]) => {
    const hex = state.group.colours[labels.data[place]];
    if (!hex) return share === 1 ? [0, 0, 0] : [r, g, b];
    const value = parseInt(hex, 16);
    const mix = (own, other) => share * own + (1 - share) * other;
    return [mix(value >> 16, r), mix((value >> 8) & 255, g), mix(value & 255, b)];
  });
}

/** Where prediction and truth differ, in one colour over the image in grey. */
function wrong(image, truth, labels) {
  return mixed(image, (place, [r, g, b]) => {
    const grey = 60 + 0.55 * (0.3 * r + 0.59 * g + 0.11 * b);
    const missed = truth.data[place] !== VOID && truth.data[place] !== labels.data[place];
    return missed ? [230, 80 + 0.3 * grey, 30] : [grey, grey, grey];
  });
}

function mixed(image, colour) {
  const result = new ImageData(image.width, image.height);
  for (let place = 0; place < image.data.length; place += 4) {
    result.data.set(colour(place, image.data.subarray(place, place + 3)), place);
    result.data[place + 3] = 255;
  }
  return result;
}

function painted(picture, caption, label, read, detail = "") {
  const canvas = el("canvas", { width: picture.width, height: picture.height, role: "img", "aria-label": label });
  canvas.getContext("2d").putImageData(picture, 0, 0);
  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    const at = (offset, shown, size) => Math.min(size - 1, Math.max(0, Math.floor((offset / shown) * size)));
    read(at(offsetY, canvas.clientHeight, picture.height) * picture.width + at(offsetX, canvas.clientWidth, picture.width));
  });
  return el("figure", {}, canvas, el("figcaption", {}, caption, detail ? el("small", {}, detail) : null));
}

views.push(drawFrames);
followers.push(drawFrames);

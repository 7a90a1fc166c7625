// Pictures of a frame from its pixels: label maps in colour over the image, and where prediction and truth differ.

import { el } from "./dom.js";
import { state } from "./state.js";

export const VOID = 255;

/** The pixels of a picture, at the size of another where that is given; label maps are not smoothed. */
export async function pixels(source, like = null) {
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  const [width, height] = like ? [like.width, like.height] : [picture.naturalWidth, picture.naturalHeight];
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** The labels in their colours, over the image where there is one; what has no label keeps the image's. */
export function blended(image, labels, share) {
  return mixed(image ?? labels, (place, [r, g, b]) => {
    const hex = state.group.colours[labels.data[place]];
    if (!hex) return share === 1 || !image ? [0, 0, 0] : [r, g, b];
    const value = parseInt(hex, 16);
    const mix = (own, other) => (image ? share * own + (1 - share) * other : own);
    return [mix(value >> 16, r), mix((value >> 8) & 255, g), mix(value & 255, b)];
  });
}

/** Where prediction and truth differ, in one colour over the image in grey. */
export function wrong(image, truth, labels) {
  return mixed(image, (place, [r, g, b]) => {
    const grey = 60 + 0.55 * (0.3 * r + 0.59 * g + 0.11 * b);
    const missed = truth.data[place] !== VOID && truth.data[place] !== labels.data[place];
    return missed ? [230, 80 + 0.3 * grey, 30] : [grey, grey, grey];
  });
}

export function mixed(image, colour) {
  const result = new ImageData(image.width, image.height);
  for (let place = 0; place < image.data.length; place += 4) {
    result.data.set(colour(place, image.data.subarray(place, place + 3)), place);
    result.data[place + 3] = 255;
  }
  return result;
}

/** A picture with its caption. read: called with the place of the pixel that is pointed at. */
export function painted(picture, caption, label, read, detail = "") {
  const { width, height } = picture;
  const canvas = el("canvas", { width, height, role: "img", "aria-label": label });
  canvas.getContext("2d").putImageData(picture, 0, 0);
  const look = ({ offsetX, offsetY }) => {
    const at = (offset, shown, size) => Math.min(size - 1, Math.max(0, Math.floor((offset / shown) * size)));
    read(at(offsetY, canvas.clientHeight, height) * width + at(offsetX, canvas.clientWidth, width));
  };
  canvas.addEventListener("pointermove", look);
  canvas.addEventListener("pointerdown", look);
  return el("figure", {}, canvas, el("figcaption", {}, caption, detail ? el("small", {}, detail) : null));
}

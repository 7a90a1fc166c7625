// The frames that the runs kept, side by side: prediction and errors painted over the image.

import { keep } from "./address.js";
import { button, choice, el, hint, missing, part } from "./dom.js";
import { drawFlicker } from "./flicker.js";
import { paintFrame } from "./side_by_side.js";
import { state } from "./state.js";
import { describe } from "./tooltip.js";
import { changed, followers, views } from "./views.js";

const view = { at: 0, show: "errors", clip: "" }; // clip: "": of all
const SHOWS = [
  ["errors", "errors"],
  ["prediction", "prediction"],
  ["labels", "labels only"],
];

keep(
  "frame",
  () => (view.at ? String(view.at) : null),
  ([at = "0"]) => {
    Object.assign(view, { at: Number(at) || 0, clip: "" });
  },
);
keep(
  "show",
  () => (view.show === "errors" ? null : view.show),
  ([show = "errors"]) => {
    view.show = show;
  },
);

/** The place of a clip's first kept frame; -1 where none is in this page. */
export const frameOf = (clip) => state.group.frames.findIndex((frame) => frame.clip === clip);

/** Look at a clip's frame. */
export function showFrame(clip) {
  Object.assign(view, { at: frameOf(clip), clip: "" });
  changed(drawFrames);
  document.getElementById("frames").scrollIntoView();
  document.getElementById("frame-title").focus({ preventScroll: true });
}

function drawFrames() {
  const host = part("frames", "body");
  const { frames, framesLeftOut } = state.group;
  if (!frames.length) {
    part("frames", "controls").replaceChildren();
    drawFlicker();
    return host.replaceChildren(missing("These runs kept no frames (vssbench run --keep-frames N)."));
  }
  const listed = [...frames.keys()].filter((index) => !view.clip || frames[index].clip === view.clip);
  if (!listed.includes(view.at)) view.at = listed[0];
  const change = (known) => {
    Object.assign(view, known);
    changed(drawFrames);
  };
  const step = (by) => () => {
    change({ at: listed[(listed.indexOf(view.at) + by + listed.length) % listed.length] });
    part("frames", "controls").querySelectorAll("button")[by < 0 ? 0 : 1].focus();
  };
  const clips = [...new Set(frames.map((frame) => frame.clip))].sort().map((clip) => [clip, clip]);
  part("frames", "controls").replaceChildren(
    choice("Show", SHOWS, view.show, (show) => change({ show })),
    choice("Clip", [["", "all, worst frames first"], ...clips], view.clip, (clip) => change({ clip })),
    el("span", { class: "steps" }, button("Previous", step(-1)), " ", button("Next", step(1))),
    el("span", {}, `${listed.indexOf(view.at) + 1} of ${listed.length}`),
  );
  const frame = frames[view.at];
  drawFlicker(frame.clip);
  const touch = matchMedia("(pointer: coarse)").matches;
  const title = el("h3", { id: "frame-title", tabindex: -1 }, `${frame.clip} · frame ${frame.stem || frame.index}`);
  const grid = el("div", { class: "frame-grid" });
  const readout = el(
    "p",
    { class: "hint", id: "readout" },
    `${touch ? "Tap" : "Point at"} a picture to read its classes.`,
  );
  const bare = frame.image
    ? null
    : hint("The runs kept only the predictions of this frame: no image, no ground truth.");
  const left = framesLeftOut
    ? hint(`${framesLeftOut} more frames are in the run's folder; this page has no room for them.`)
    : null;
  host.replaceChildren(...[strip(frames, listed), title, bare, readout, grid, left].filter(Boolean));
  const pressed = host.querySelector(".strip [aria-pressed=true]");
  pressed.parentElement.scrollLeft = pressed.offsetLeft - pressed.parentElement.clientWidth / 2;
  paintFrame(frame, view.show, grid, readout);
}

/** The frames to choose from, the worst first. */
function strip(frames, listed) {
  const thumb = (index) => {
    const frame = frames[index];
    const accuracies = frame.predictions.map((one) => one.accuracy);
    const mean = accuracies.reduce((sum, value) => sum + value, 0) / accuracies.length;
    const worst = frame.predictions.filter((one) => one.worst).map((one) => state.group.rows[one.row].method);
    const press = () => {
      view.at = index;
      changed(drawFrames);
      part("frames", "body").querySelectorAll(".strip button")[listed.indexOf(index)].focus();
    };
    const picture = frame.image
      ? el("img", { src: `data:image/jpeg;base64,${frame.image}`, alt: "" })
      : el("i", {}, "labels only");
    const place = frame.stem || frame.index;
    const words = [el("span", {}, `${frame.clip} · ${place}`), el("span", {}, `${mean.toFixed(0)} % right`)];
    const one = button([picture, words], press, { "aria-pressed": index === view.at });
    const value = `${mean.toFixed(1)} % of the labelled pixels right, mean over methods`;
    const lines = worst.length ? [["among the worst of", worst.join(", ")]] : [];
    return describe(one, () => ({ title: `${frame.clip}, frame ${place}`, value, lines }));
  };
  return el("div", { class: "strip", role: "group", "aria-label": "Frames, worst first" }, listed.map(thumb));
}

views.push(drawFrames);
followers.push(drawFrames);

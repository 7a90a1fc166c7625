// The axes of the Pareto plot: which figures, and where a row stands on them.

import { keep } from "./address.js";
import { check, choice, part } from "./dom.js";
import { topicOf } from "./filters.js";
import { FIRST } from "./ordering.js";
import { figure, state } from "./state.js";
import { changed } from "./views.js";

const tradeoff = { x: null, y: null, log: null }; // null: as the page opens

keep(
  "x",
  () => tradeoff.x,
  ([title = null]) => {
    Object.assign(tradeoff, { x: title, log: null });
  },
);
keep(
  "y",
  () => tradeoff.y,
  ([title = null]) => {
    tradeoff.y = title;
  },
);
keep(
  "scale",
  () => (tradeoff.log === null ? null : tradeoff.log ? "log" : "linear"),
  ([name]) => {
    tradeoff.log = name ? name === "log" : null;
  },
);

/** The columns that may be an axis, and those that are: {costs, accuracies, x, y, log}. Words are an axis of names. */
export function axes() {
  const known = (one) => state.group.rows.some((row) => placeOn(one, row) !== null);
  const usable = state.group.columns.filter((one) => (one.better || one.words) && known(one));
  const accuracies = usable.filter((one) => one.topic === "accuracy");
  const costs = [...usable.filter((one) => one.topic !== "accuracy"), ...accuracies];
  const titled = (list, wanted, first) =>
    list.find((one) => one.title === wanted) ?? list.find((one) => one.title === first) ?? list[0];
  const usual = costs.length > accuracies.length ? "GFLOPs" : "VC8"; // not mIoU over itself where nothing has a cost
  const x = titled(costs, tradeoff.x, usual);
  return {
    costs,
    accuracies,
    x,
    y: titled(accuracies, tradeoff.y, FIRST),
    log: !x?.words && (tradeoff.log ?? (x && spread(x) > 10)),
  };
}

/** The choice of axes. redraw: what draws the plot anew */
export function drawControls(redraw) {
  const { costs, accuracies, x, y, log } = axes();
  const change = (name) => (value) => {
    tradeoff[name] = value;
    if (name === "x") tradeoff.log = null;
    changed(() => {
      drawControls(redraw);
      redraw();
    });
  };
  const titles = (list) => list.map((one) => [one.title, one.title, topicOf(one)]);
  const controls = [
    choice("Cost", titles(costs), x?.title, change("x")),
    choice("Accuracy", titles(accuracies), y?.title, change("y")),
    check("logarithmic", log, change("log")),
  ];
  part("tradeoff", "controls").replaceChildren(...(x && y ? controls : []));
}

/** The words that a column's rows say, in order; they are its places on an axis. */
export const wordsOf = ({ title, words }) =>
  words
    ? [...new Set(state.group.rows.map((row) => row.cells[title].text))].filter((text) => text !== "–").sort()
    : null;

/** Where a row stands on an axis; null where it has no figure. */
export function placeOn(one, row) {
  if (!one.words) return figure(row, one.title);
  const place = wordsOf(one).indexOf(row.cells[one.title].text);
  return place < 0 ? null : place;
}

/** How many times the largest figure is the smallest; 1 where a logarithm cannot show them. */
function spread({ title }) {
  const values = state.group.rows.map((row) => figure(row, title)).filter((value) => value !== null);
  return values.length && Math.min(...values) > 0 ? Math.max(...values) / Math.min(...values) : 1;
}

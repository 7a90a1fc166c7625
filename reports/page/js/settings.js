// The settings of two methods side by side: what they share, and what differs.

import { button, el, scrolled } from "./dom.js";
import { topicOf } from "./filters.js";

const listed = { all: false };
const PARTS = ["settings", "accuracy", "schedule", "gflops", "params", "speed", "run"];
const SKIPPED = ["mIoU minus the one above", "method"]; // a figure, and what stands argument by argument
const NAMED = { settings: "Method", run: "Run", accuracy: "Data and protocol", speed: "Speed" };

/** A table of two rows' settings, part by part; what is the same in both is shown on request. */
export function settingsOf(a, b) {
  const host = el("div", { class: "settings" });
  const draw = () => {
    const all = parts(a, b);
    const equal = all.flatMap(([, own]) => own).filter(({ differs }) => !differs).length;
    const bodies = all.map(([topic, own]) => body(topic, listed.all ? own : own.filter(({ differs }) => differs)));
    const head = ["", `A: ${a.method}`, `B: ${b.method}`].map((text) =>
      text ? el("th", { scope: "col" }, text) : el("td", {}),
    );
    const table = el("table", { class: "pairs" }, el("thead", {}, el("tr", {}, head)), bodies);
    const press = () => {
      listed.all = !listed.all;
      draw();
      host.querySelector("button").focus();
    };
    const more = button(listed.all ? "Only what differs" : `Also show the ${equal} that are equal`, press);
    host.replaceChildren(el("h3", {}, "Settings"), scrolled("Settings of A and B", table), el("p", {}, more));
  };
  draw();
  return host;
}

/** [topic, [{label, a, b, differs}]]: a line of several topics stands in the first; what only one row has differs. */
function parts(a, b) {
  const seen = new Set(SKIPPED);
  return PARTS.map((topic) => {
    const [first, second] = [a, b].map((row) => new Map(row.provenance[topic] ?? []));
    const labels = [...new Set([...first.keys(), ...second.keys()])].filter((label) => !seen.has(label));
    for (const label of labels) seen.add(label);
    const sides = labels.map((label) => ({ label, a: first.get(label) ?? "–", b: second.get(label) ?? "–" }));
    return [topic, sides.map((one) => ({ ...one, differs: one.a !== one.b }))];
  });
}

function body(topic, own) {
  if (!own.length) return [];
  const title = NAMED[topic] ?? topicOf({ topic });
  const line = ({ label, a, b, differs }) =>
    el(
      "tr",
      { class: differs ? "differs" : null },
      el("th", { scope: "row" }, label),
      el("td", {}, a),
      el("td", {}, b),
    );
  return el("tbody", {}, el("tr", {}, el("th", { scope: "rowgroup", colspan: 3 }, title)), own.map(line));
}

// What the table shows: the filter, the families, the columns; and that as a file.

import { keep } from "./address.js";
import { conditions } from "./conditions.js";
import { byId, button, check, el } from "./dom.js";
import { asCsv, asJson } from "./export.js";
import { save } from "./copying.js";
import { glyph } from "./marks.js";
import { families, rowNamed, shownColumns, state, visible } from "./state.js";
import { changed, selectionChanged, views } from "./views.js";

const TOPICS = {
  accuracy: "Accuracy",
  gflops: "Computation",
  params: "Size",
  speed: "Speed, memory and energy",
  schedule: "Schedule",
};

/** What a topic is called where columns are listed; figures of a stream are one of their own. */
export const topicOf = ({ key, topic }) => (key?.includes("fps=") ? "Stream" : (TOPICS[topic] ?? topic));

keep(
  "filter",
  () => state.text || null,
  ([text = ""]) => {
    state.text = byId("text").value = text;
  },
);
keep(
  "family",
  () => [...state.families],
  (names) => {
    state.families = new Set(names.filter((name) => families(state.group).includes(name)));
  },
);
keep(
  "column",
  () => (state.columns ? [...state.columns] : null),
  (titles) => {
    const known = titles.filter((title) => state.group.columns.some((one) => one.title === title));
    state.columns = known.length ? new Set(known) : null;
  },
);
keep(
  "selected",
  () => [...state.selected].map((id) => state.group.rows[id].method),
  (names) => {
    state.selected = new Set(
      names
        .map(rowNamed)
        .filter(Boolean)
        .map((row) => row.id),
    );
  },
);

function drawCount() {
  const { comparisons, unknown } = conditions(state.text, state.group.columns);
  const [shown, all] = [visible().length, state.group.rows.length];
  byId("count").textContent = [
    shown === all ? "" : `${shown} of ${all} methods`,
    ...comparisons.map(({ column, sign, bound }) => `${column.title} ${sign} ${bound}`),
    ...unknown.map((name) => `no column is called "${name}"`),
  ]
    .filter(Boolean)
    .join(" · ");
}

function drawFamilies() {
  const all = families(state.group);
  const chip = (family) => {
    const press = () => {
      if (!state.families.delete(family)) state.families.add(family);
      changed();
      byId("families").children[all.indexOf(family)].focus();
    };
    const sample = glyph(state.group.rows.find((row) => row.family === family));
    return button([sample, family], press, { class: "chip", "aria-pressed": state.families.has(family) });
  };
  byId("families").replaceChildren(...(all.length > 1 ? all.map(chip) : []));
}

/** The list of columns, topic by topic. */
function drawPicker() {
  const shown = new Set(shownColumns().map((one) => one.title));
  const pick = (titles) => {
    state.columns = titles;
    changed();
  };
  const box = ({ title }) =>
    check(title, shown.has(title), (on) => {
      pick(new Set(state.group.columns.map((one) => one.title).filter((one) => (one === title ? on : shown.has(one)))));
      byId("columns").querySelectorAll("input")[[...boxes.keys()].indexOf(title)].focus();
    });
  const topics = Map.groupBy(state.group.columns, topicOf);
  const boxes = new Map([...topics.values()].flat().map((one) => [one.title, box(one)]));
  byId("columns").replaceChildren(
    el(
      "p",
      {},
      button("Usual", () => pick(null)),
      " ",
      button("All", () => pick(new Set(boxes.keys()))),
    ),
    el(
      "div",
      { class: "topics" },
      [...topics].map(([topic, own]) => {
        const listed = own.map(({ title }) => boxes.get(title));
        return el("fieldset", {}, el("legend", {}, topic), listed);
      }),
    ),
  );
}

byId("text").addEventListener("input", (event) => {
  state.text = event.target.value;
  changed();
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("clear").addEventListener("click", () => {
  state.selected.clear();
  selectionChanged();
  byId("text").focus();
});
byId("csv").addEventListener("click", () => save("leaderboard.csv", "text/csv", asCsv()));
byId("json").addEventListener("click", () => save("leaderboard.json", "application/json", asJson()));
document.addEventListener("click", (event) => {
  if (!event.target.closest("#picker")) byId("picker").open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && byId("picker").open) {
    byId("picker").open = false;
    byId("picker").querySelector("summary").focus();
  }
});
views.push(drawCount, drawFamilies, drawPicker);

// What is looked at: one group of rows that may be compared, a filter, a sort order, a selection. Columns are named by their titles.

const data = JSON.parse(byId("data").textContent);
for (const group of data.groups) group.rows.forEach((row, index) => (row.id = index));
data.palette.forEach(([light, dark], index) => document.documentElement.style.setProperty(`--c${index}`, `light-dark(${light}, ${dark})`));

const state = {
  group: data.groups[0],
  text: "",
  families: new Set(), // empty: all
  selected: new Set(), // row ids of the group; empty: none stands out
  sort: { title: null, up: false }, // null: as the report ranks them
  allColumns: false,
};

const families = (group) => [...new Set(group.rows.map((row) => row.family))].sort();

/** The group's rows that pass the filter, in the report's order. */
function visible() {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  return state.group.rows.filter((row) => {
    const notes = row.notes.map((number) => state.group.notes[number - 1]);
    const text = [row.method, row.family, row.origin, ...notes].join("\n").toLowerCase();
    return (!state.families.size || state.families.has(row.family)) && words.every((word) => text.includes(word));
  });
}

/** Whether a row's figure in a column is a lower bound only. */
const isBound = (row, column) => row.cells[column.title].atLeast === true;

/** Rows measured here, which may be ranked and joined by a front. */
const measured = (rows) => rows.filter((row) => row.origin !== "published");

const column = (title) => state.group.columns.find((one) => one.title === title);

/** A row's figure in a column, null where it is missing. */
const figure = (row, title) => row.cells[title]?.value ?? null;

const views = []; // functions that draw a section from the state

/** Draw everything anew. */
function refresh() {
  for (const view of views) view();
  highlight();
}

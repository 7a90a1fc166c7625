// What is looked at: one group of rows that may be compared, a filter, a sort order, a selection.

const data = JSON.parse(byId("data").textContent);
for (const group of data.groups) group.rows.forEach((row, index) => (row.id = index));

const state = {
  group: data.groups[0],
  text: "",
  families: new Set(), // empty: all
  selected: new Set(), // row ids of the group; empty: none stands out
  sort: { key: null, up: false }, // null: as the report ranks them
  allColumns: false,
};

const families = (group) => [...new Set(group.rows.map((row) => row.family))].sort();

/** The group's rows that pass the filter, in the report's order. */
function visible() {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  return state.group.rows.filter((row) => {
    const notes = row.notes.map((number) => state.group.notes[number]);
    const text = [row.method, row.family, row.origin, row.source ?? "", ...notes].join("\n").toLowerCase();
    return (!state.families.size || state.families.has(row.family)) && words.every((word) => text.includes(word));
  });
}

/** Rows measured here, which may be ranked and joined by a front. */
const measured = (rows) => rows.filter((row) => row.origin !== "published");

const column = (key) => state.group.columns.find((one) => one.key === key);

const views = []; // functions that draw a section from the state

/** Draw everything anew. */
function refresh() {
  for (const view of views) view();
  highlight();
}

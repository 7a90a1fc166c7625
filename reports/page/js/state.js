// What is looked at: one group of rows that may be compared, a filter, an order, a selection. Columns go by titles.

import { matches } from "./conditions.js";
import { byId } from "./dom.js";

export const data = JSON.parse(byId("data").textContent);
for (const group of data.groups) for (const [id, row] of group.rows.entries()) row.id = id;

export const state = {
  group: data.groups[0],
  text: "",
  families: new Set(), // empty: all
  selected: new Set(), // row ids of the group; empty: none stands out
  sort: { title: null, up: false }, // null: as the report ranks them
  columns: null, // titles of those that the table shows; null: those that the report chose
};

export const families = (group) => [...new Set(group.rows.map((row) => row.family))].sort();

/** The group's rows that pass the filter, in the report's order. */
export function visible() {
  const passes = matches(state.text, state.group);
  return state.group.rows.filter((row) => (!state.families.size || state.families.has(row.family)) && passes(row));
}

/** The columns that the table shows. */
export const shownColumns = () =>
  state.group.columns.filter((one) => (state.columns ? state.columns.has(one.title) : one.primary));

/** Whether a row's figure in a column is a lower bound only. */
export const isBound = (row, column) => row.cells[column.title].atLeast === true;

/** Rows measured here, which may be ranked and joined by a front. */
export const measured = (rows) => rows.filter((row) => row.origin !== "published");

export const column = (title) => state.group.columns.find((one) => one.title === title);

/** A row's figure in a column, null where it is missing. */
export const figure = (row, title) => row.cells[title]?.value ?? null;

/** The row of a method's name, as a link has it. */
export const rowNamed = (name) => state.group.rows.find((row) => row.method === name);

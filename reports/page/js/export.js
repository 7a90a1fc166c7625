// The table as it stands, as a file: the rows that pass the filter, in their order, and the columns that are shown.

import { sorted } from "./ordering.js";
import { signature } from "./panel.js";
import { measured, shownColumns, state, visible } from "./state.js";

const rows = () => {
  const shown = visible();
  return [...sorted(measured(shown)), ...sorted(shown.filter((row) => row.origin === "published"))];
};
const figureOf = (row, { title, words }) => (words ? row.cells[title].text : row.cells[title].value);

/** One line a method, figures by their names in the catalogue, with the ends of their intervals. */
export function asCsv() {
  const columns = shownColumns();
  const spans = new Set(columns.filter((one) => rows().some((row) => row.cells[one.title].low !== undefined)));
  const ends = (one) => (spans.has(one) ? [`${one.key} low`, `${one.key} high`] : []);
  const head = ["method", "origin", ...columns.flatMap((one) => [name(one), ...ends(one)])];
  const line = (row) => [
    row.method,
    row.origin,
    ...columns.flatMap((one) => {
      const { low, high } = row.cells[one.title];
      return [figureOf(row, one), ...(spans.has(one) ? [low, high] : [])];
    }),
  ];
  return [head, ...rows().map(line)].map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

/** A figure's name, and the machine where several have one. */
const name = ({ key, machine }) =>
  machine && Object.keys(state.group.machines).length > 1 ? `${key} on ${machine}` : key;

/** As RFC 4180 has it. */
const quoted = (value) => {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** The same with intervals, lower bounds, notes and signatures. */
export function asJson() {
  const { dataset, protocol, fingerprint, files, notes } = state.group;
  const cell = (row, one) => {
    const { low, high, level, atLeast } = row.cells[one.title];
    return { value: figureOf(row, one), low, high, level, atLeast, signature: signature(row, one) ?? undefined };
  };
  const methods = rows().map((row) => ({
    method: row.method,
    origin: row.origin,
    figures: Object.fromEntries(shownColumns().map((one) => [name(one), cell(row, one)])),
    notes: row.notes.map((number) => notes[number - 1]),
  }));
  return `${JSON.stringify({ dataset, protocol, fingerprint, files, methods }, null, 1)}\n`;
}

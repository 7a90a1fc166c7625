// The filter: words that a row must hold, and comparisons of its figures, as in `mpvss, FPS step > 30`.

const COMPARISON = /([^<>≤≥,]*?)\s*(<=|>=|[<>≤≥])\s*(-?\d+(?:\.\d+)?)/g;
const HOLDS = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  "≤": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "≥": (a, b) => a >= b,
};

/** {words, comparisons: [{column, sign, bound}], unknown: [names that are no column's]} of a filter's text. */
export function conditions(text, columns) {
  const comparisons = [];
  const unknown = [];
  const rest = text.replace(COMPARISON, (_, before, sign, bound) => {
    const names = before.split(/\s+/).filter(Boolean);
    // What stands before the name of the column is a word to look for: `mpvss FPS > 30`.
    const from = names.findIndex((_, index) => columnOf(names.slice(index).join(" "), columns));
    if (from < 0) unknown.push(names.join(" "));
    else comparisons.push({ column: columnOf(names.slice(from).join(" "), columns), sign, bound: Number(bound) });
    return ` ${names.slice(0, Math.max(from, 0)).join(" ")} `;
  });
  return {
    words: rest
      .toLowerCase()
      .split(/[\s,]+/)
      .filter(Boolean),
    comparisons,
    unknown,
  };
}

/** The column that a name means: its title or key, else how one begins, else a part of one. */
function columnOf(name, columns) {
  const wanted = name.toLowerCase();
  const said = ({ title, key }) => [title.toLowerCase(), key.toLowerCase()];
  const tests = [
    (text) => text === wanted,
    (text) => text.startsWith(wanted),
    (text) => wanted.length > 2 && text.includes(wanted),
  ];
  for (const test of tests) {
    const found = columns.filter((one) => said(one).some(test));
    if (found.length) return found.find((one) => one.primary) ?? found[0];
  }
}

/** Whether a row passes a filter's text. A missing figure passes no comparison, nor does a bound that may not hold. */
export function matches(text, group) {
  const { words, comparisons } = conditions(text, group.columns);
  return (row) => {
    const notes = row.notes.map((number) => group.notes[number - 1]);
    const figures = group.columns.filter((one) => one.words).map(({ title }) => row.cells[title].text);
    const held = [row.method, row.family, row.origin, ...figures, ...notes].join("\n").toLowerCase();
    const passes = ({ column, sign, bound }) => {
      const { value, atLeast } = row.cells[column.title];
      return value !== null && HOLDS[sign](value, bound) && !(atLeast && sign.match(/[<≤]/));
    };
    return words.every((word) => held.includes(word)) && comparisons.every(passes);
  };
}

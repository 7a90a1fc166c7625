// Elements from data. What a name holds only ever becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element.
 * attributes: names as in HTML; "on" is {event: handler}; false and null leave one out, but for aria states
 */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name.startsWith("aria-") && typeof value === "boolean") node.setAttribute(name, value);
    else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

/** A number with its noun, in the singular or plural. */
export const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

export const byId = (id) => document.getElementById(id);

/** A section's part for controls or body. */
export const part = (section, name) => document.querySelector(`#${section} > .${name}`);

/** A labelled select; options: [value, text] or [value, text, group] each. */
export function choice(label, options, value, changed) {
  const groups = Map.groupBy(options, ([, , group]) => group ?? "");
  const list = [...groups].map(([group, own]) => {
    const entries = own.map(([key, text]) => el("option", { value: key, selected: key === value }, text));
    return group ? el("optgroup", { label: group }, entries) : entries;
  });
  return el("label", {}, label, el("select", { on: { change: (event) => changed(event.target.value) } }, list));
}

/** A labelled checkbox. */
export function check(label, checked, changed) {
  const box = el("input", { type: "checkbox", checked, on: { change: (event) => changed(event.target.checked) } });
  return el("label", { class: "check" }, box, ` ${label}`);
}

/** A button. */
export const button = (text, press, attributes = {}) =>
  el("button", { type: "button", ...attributes, on: { click: press } }, text);

/** A line that says why a section is empty. */
export const missing = (text) => el("p", { class: "missing" }, text);

/** A small line under what it explains. */
export const hint = (...sentences) => el("p", { class: "hint" }, sentences.filter(Boolean).join(" "));

/** A table that may be wider than the page; it scrolls by itself, and can be scrolled by keys. */
export const scrolled = (label, table) =>
  el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, table);

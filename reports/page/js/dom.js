// Elements from data. What a name holds only ever becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. attributes: names as in HTML; "on" is {event: handler}; false and null leave one out, but for aria states. */
function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name.startsWith("aria-") && typeof value === "boolean") node.setAttribute(name, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

const byId = (id) => document.getElementById(id);

/** A section's part for controls or body. */
const part = (section, name) => document.querySelector(`#${section} > .${name}`);

/** A labelled select; options: [value, text] pairs. */
function choice(label, options, value, changed) {
  const list = options.map(([key, text]) => el("option", { value: key, selected: key === value }, text));
  return el("label", {}, `${label} `, el("select", { on: { change: (event) => changed(event.target.value) } }, list));
}

/** A labelled checkbox. */
function check(label, checked, changed) {
  const box = el("input", { type: "checkbox", checked, on: { change: (event) => changed(event.target.checked) } });
  return el("label", { class: "check" }, box, ` ${label}`);
}

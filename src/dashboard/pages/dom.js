// Elements from plain values. Text only ever enters as text: there is no way here to write markup.

/** An element. `props`: `class`, `text`, `on` (listeners), `data`, `style` (properties); else attributes. */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.setAttribute("class", value);
    else if (name === "text") node.textContent = value;
    else if (name === "on") for (const [type, heard] of Object.entries(value)) node.addEventListener(type, heard);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "style") for (const [key, to] of Object.entries(value)) node.style.setProperty(key, to);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Hears what a form is filled with. Until then its fields wait in a disabled fieldset: sent
 * before, it would go to the server by the browser's own way, which the page's policy blocks. */
export function onSubmit(form, heard) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    heard();
  });
  form.firstElementChild.disabled = false;
}

export const byId = (id) => document.getElementById(id);

export function show(place, ...children) {
  place.replaceChildren(...children.flat().filter(Boolean));
}

/** A state without figures: what is missing and what to do. */
export function empty(title, hint, ...more) {
  return el("div", { class: "empty" }, el("strong", { text: title }), hint && el("span", { text: hint }), more);
}

/** What went wrong, in the server's own words. */
export function trouble(error) {
  const sentence = (text) => text && text[0].toUpperCase() + text.slice(1);
  return el(
    "div",
    { class: "empty", role: "alert" },
    el("strong", { class: "trouble", text: sentence(error.message) }),
    error.hint && el("span", { text: sentence(error.hint) }),
  );
}

/**
 * A table that scrolls by itself where it is too wide. A column: `name`, `of` (row to text or node),
 * `number`, `title`.
 */
export function table(caption, columns, rows, totals) {
  const align = (column) => (column.number ? "number" : undefined);
  const head = columns.map((c) => el("th", { scope: "col", class: align(c), text: c.name, title: c.title }));
  const line = (row) => el("tr", {}, columns.map((c) => cell(c, row, align(c))));
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `${caption}, table` },
    el(
      "table",
      {},
      el("caption", { class: "unseen", text: caption }),
      el("thead", {}, el("tr", {}, head)),
      el("tbody", {}, rows.map(line)),
      totals && el("tfoot", {}, line(totals)),
    ),
  );
}

function cell(column, row, align) {
  const value = column.of(row);
  const text = value instanceof Node ? undefined : (value ?? "–");
  return el("td", { class: align, text }, value instanceof Node ? value : null);
}

/** Copies, and says so on the button. */
export function copyButton(label, text) {
  const button = el("button", { class: "button quiet", type: "button", text: label });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed to copy";
    }
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

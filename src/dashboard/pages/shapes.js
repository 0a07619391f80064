// A JSON Schema as nested lists of fields, and an operation as a command for a shell.

import { el } from "./dom.js";

/** Text with `code` and [links](/to) in it, as nodes. */
export function inline(text) {
  const parts = text.split(/(`[^`]+`|\[[^\]]+\]\([^)]+\))/);
  return parts.map((part) => {
    const link = part.match(/^\[([^\]]+)\]\((\/[^)]+)\)$/);
    if (link) return el("a", { href: link[2].replace("/docs#", "#"), text: link[1] });
    return part.startsWith("`") ? el("code", { text: part.slice(1, -1) }) : part;
  });
}

/** What a reference leads to, with the name it is known by. */
export function resolved(book, schema) {
  const name = schema.$ref?.split("/").pop();
  if (!name) return { schema };
  const found = schema.$ref.slice(2).split("/").reduce((at, part) => at?.[part], book);
  return { name, schema: found ?? {} };
}

const BOUNDS = [
  ["minimum", (n) => `at least ${n}`],
  ["maximum", (n) => `at most ${n}`],
  ["minLength", (n) => `${n} or more characters`],
  ["maxLength", (n) => `at most ${n} characters`],
  ["minItems", (n) => `${n} or more`],
  ["maxItems", (n) => `at most ${n}`],
  ["default", (value) => `else ${JSON.stringify(value)}`],
];

/** A schema's type in words. */
export function kind(book, given) {
  const { name, schema } = resolved(book, given);
  if (name) return name;
  if (schema.anyOf) return schema.anyOf.map((one) => kind(book, one)).join(" or ");
  if (schema.enum) return schema.enum.map((word) => (word === null ? "null" : word)).join(" | ");
  const types = [schema.type ?? "anything"].flat();
  const words = types.map((type) => (type === "array" ? `list of ${kind(book, schema.items ?? {})}` : type));
  const bounds = BOUNDS.filter(([key]) => schema[key] !== undefined).map(([key, say]) => say(schema[key]));
  // A pattern that only keeps control characters out tells a reader nothing.
  const pattern = schema.pattern?.includes("\\u") ? null : schema.pattern;
  const format = schema.format === "date-time" ? "time" : pattern;
  return [words.join(" or "), format, ...bounds].filter(Boolean).join(", ");
}

/** The fields of a schema, one below the other; what has a name opens on demand. */
export function shape(book, given) {
  const { name, schema } = resolved(book, given);
  if (name) {
    const fold = el("details", {}, el("summary", { text: name }));
    fold.addEventListener("toggle", () => fold.open && fold.children.length < 2 && fold.append(inner(book, schema)));
    return fold;
  }
  return inner(book, schema);
}

function inner(book, schema) {
  const lines = [];
  if (schema.description) lines.push(el("p", { class: "note" }, inline(schema.description)));
  if (schema.properties) {
    const must = new Set(schema.required ?? []);
    const fields = Object.entries(schema.properties).map(([name, one]) => field(book, name, one, must.has(name)));
    lines.push(el("ul", { class: "fields" }, fields));
  } else if (schema.anyOf) {
    lines.push(el("ul", { class: "fields" }, schema.anyOf.map((one) => el("li", {}, shape(book, one)))));
  } else if (schema.type === "array") {
    lines.push(el("span", { class: "kind", text: "list of" }), shape(book, schema.items ?? {}));
  } else lines.push(el("span", { class: "kind", text: kind(book, schema) }));
  return el("div", {}, lines);
}

/** A field with its type, what it means, and what is in it. */
export function field(book, name, schema, must) {
  const parts = [schema, schema.items, ...(schema.anyOf ?? [])].filter(Boolean);
  const deeper = parts.filter((part) => part.$ref || part.properties);
  return el(
    "li",
    {},
    el("code", { text: name }),
    " ",
    el("span", { class: "kind", text: kind(book, schema) }),
    must && el("span", { class: "must", text: " needed" }),
    schema.description && el("span", {}, " · ", inline(schema.description)),
    deeper.map((part) => shape(book, part)),
  );
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const KEYS = { callerKey: "CLM_API_KEYS", adminKey: "ADMIN_API_KEYS" };

/** The command that asks for an operation, with its examples; `base` is where the server is. */
export function curl(base, path, method, operation) {
  const parameters = (operation.parameters ?? []).filter((p) => p.example !== undefined);
  const of = (place) => parameters.filter((p) => p.in === place);
  const filled = of("path").reduce((url, p) => url.replace(`{${p.name}}`, encodeURIComponent(p.example)), path);
  const asked = of("query").map((p) => `${p.name}=${encodeURIComponent(p.example)}`);
  const url = base + filled + (asked.length ? `?${asked.join("&")}` : "");
  const [form, body] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const streams = Object.keys(operation.responses["200"]?.content ?? {}).includes("text/event-stream");
  const lines = [`curl ${streams ? "-N " : ""}${quoted(url)}`];
  if (method !== (body ? "post" : "get")) lines[0] = lines[0].replace("curl ", `curl -X ${method.toUpperCase()} `);
  const key = operation.security.map((one) => KEYS[Object.keys(one)[0]]).find(Boolean);
  if (key) lines.push(`-H "Authorization: Bearer \${${key}%%,*}"`);
  if (body?.example !== undefined) {
    lines.push(`-H ${quoted(`Content-Type: ${form}`)}`, `-d ${quoted(JSON.stringify(body.example))}`);
  }
  return lines.join(" \\\n  ");
}

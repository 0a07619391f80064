// The API's document, rendered: what can be asked, by whom, how, and what is answered.

import { byId, copyButton, el, onSubmit, show } from "./dom.js";
import { curl, field, inline, resolved, shape } from "./shapes.js";

const METHODS = ["get", "post", "put", "delete"];
const WHO = {
  callerKey: "a caller key",
  adminKey: "an admin key",
  login: "the login of the pages",
  shareLink: "a session's link, its text in x-clm-share",
  sessionId: "the session's signed id in x-clm-session",
  humeSignature: "Hume's signature",
  elevenlabsSignature: "ElevenLabs' signature",
};

const prose = (text) => el("p", {}, inline(text));

function who(security) {
  if (!security.length) return "Anybody.";
  const ways = security.map((one) => WHO[Object.keys(one)[0]] ?? "the session's signed id in the address");
  return `Needs ${ways.join(", or ")}.`;
}

const titled = (title, ...rest) => el("div", {}, el("h4", { text: title }), ...rest);

function parameters(book, operation) {
  const all = operation.parameters ?? [];
  const lines = all.map((p) => field(book, p.name, { ...p.schema, description: `${p.in}. ${p.description}` }, p.required));
  return all.length > 0 && titled("Parameters", el("ul", { class: "fields" }, lines));
}

function body(book, operation) {
  const [form, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  return content && titled(`Body, ${form}`, shape(book, content.schema));
}

function answers(book, operation) {
  const lines = Object.entries(operation.responses).map(([status, given]) => {
    const { schema: answer } = resolved(book, given);
    const forms = Object.entries(answer.content ?? {}).map(([form, content]) => answered(book, form, content));
    return el(
      "li",
      {},
      el("strong", { class: status < 400 ? "good" : "bad", text: status }),
      el("div", {}, prose(answer.description), status < 400 && forms),
    );
  });
  return titled("Answers", el("ul", { class: "answers" }, lines));
}

function answered(book, form, content) {
  const events = Object.entries(content["x-events"] ?? {});
  const plain = !content.schema || content.schema.type === "string";
  return el(
    "div",
    {},
    el("span", { class: "note", text: form }),
    !plain && shape(book, content.schema),
    events.length > 0 && el("ul", { class: "fields" }, events.map(([name, schema]) => field(book, name, schema))),
  );
}

function shell(command) {
  return el("div", { class: "shell" }, el("pre", { tabindex: "0", text: command }), copyButton("Copy", command));
}

/** Everything of one operation; what is inside is made when it is opened. */
function entry(book, path, method, operation) {
  const has = (other) => book.paths[path][other] !== undefined;
  const verbs = method === "get" && has("head") ? "GET, HEAD" : method.toUpperCase();
  const summary = el(
    "summary",
    {},
    el("span", { class: `verb ${method}`, text: verbs }),
    el("h3", { text: path }),
    el("span", { class: "note", text: operation.summary }),
  );
  const node = el("details", { class: `panel entry${operation.deprecated ? " aged" : ""}`, id: operation.operationId }, summary);
  const fillIn = () => {
    if (!node.open || node.children.length > 1) return;
    node.append(
      el(
        "div",
        { class: "body" },
        operation.description && prose(operation.description),
        el("p", { class: "note", text: who(operation.security) }),
        shell(curl(location.origin, path, method, operation)),
        parameters(book, operation),
        body(book, operation),
        answers(book, operation),
      ),
    );
  };
  node.addEventListener("toggle", fillIn);
  const text = [path, method, operation.summary, operation.description, operation.operationId].join(" ");
  return { node, text: text.toLowerCase(), id: operation.operationId, verb: method, name: path, aged: operation.deprecated };
}

function error(one) {
  const node = el(
    "details",
    { class: "panel entry", id: `error-${one.type}` },
    el(
      "summary",
      {},
      el("span", { class: "verb", text: one.statuses.join(", ") }),
      el("h3", { text: one.type }),
      el("span", { class: "note", text: one.retryable ? "may succeed later" : "" }),
    ),
    el("div", { class: "body" }, prose(one.meaning)),
  );
  const text = `error ${one.type} ${one.statuses.join(" ")} ${one.meaning}`.toLowerCase();
  return { node, text, id: node.id, verb: String(one.statuses[0]), name: one.type };
}

function groups(book) {
  const all = [];
  for (const [path, methods] of Object.entries(book.paths))
    for (const method of METHODS) if (methods[method]) all.push([path, method, methods[method]]);
  const made = book.tags.map((tag) => {
    const mine = all.filter(([, , operation]) => operation.tags.includes(tag.name));
    // What is merely put up with comes last.
    mine.sort(([, , a], [, , b]) => Boolean(a.deprecated) - Boolean(b.deprecated));
    return { ...tag, entries: mine.map(([path, method, operation]) => entry(book, path, method, operation)) };
  });
  const errors = { name: "Errors", description: "The closed list of types that an error has.", entries: book["x-errors"].map(error) };
  return [...made, errors];
}

function lead(book) {
  const { title, version, description } = book.info;
  const paragraphs = description.split("\n\n").map((text) => prose(text));
  return el("section", { class: "lead" }, el("h1", { text: `${title} ${version}: the API` }), paragraphs);
}

function filter(all, places) {
  const asked = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const group of all) {
    let some = 0;
    for (const one of group.entries) {
      const fits = asked.every((word) => one.text.includes(word));
      one.node.hidden = !fits;
      one.link.hidden = !fits || Boolean(one.aged);
      some += fits;
    }
    for (const place of places.get(group)) place.hidden = some === 0;
    count += some;
  }
  byId("found").textContent = asked.length ? `${count} found` : "";
}

/** Opens what the address points at. */
function open() {
  const node = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!node?.matches(".entry")) return;
  if (node.hidden) {
    byId("search").value = "";
    byId("search").dispatchEvent(new Event("input"));
  }
  node.open = true;
  for (const link of document.querySelectorAll("#contents a")) {
    if (link.hash === location.hash) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  node.scrollIntoView();
  node.querySelector("summary").focus({ preventScroll: true });
}

function render(book) {
  const all = groups(book);
  const places = new Map();
  const contents = all.map((group) => {
    const links = group.entries.map((one) => {
      const verb = el("span", { class: `verb ${one.verb}`, text: one.verb.toUpperCase() });
      one.link = el("a", { href: `#${one.id}`, hidden: one.aged }, verb, el("span", { text: one.name }));
      return one.link;
    });
    return el("div", {}, el("h2", { text: group.name }), links);
  });
  const sections = all.map((group) => {
    const nodes = group.entries.map((one) => one.node);
    return el("section", {}, el("h2", { text: group.name }), el("p", { class: "note", text: group.description }), nodes);
  });
  all.forEach((group, at) => places.set(group, [contents[at], sections[at]]));
  show(byId("contents"), contents);
  show(byId("pages"), lead(book), sections);
  byId("search").addEventListener("input", () => filter(all, places));
  onSubmit(byId("seek"), () => {
    const first = all.flatMap((group) => group.entries).find((one) => !one.node.hidden);
    if (first) location.hash = first.id;
  });
  addEventListener("hashchange", open);
  open();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  const search = byId("search");
  if (event.key === "/" && !typing && !search.matches(":disabled") && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    search.focus();
  }
  if (event.key === "Escape" && typing?.id === "search") {
    typing.value = "";
    typing.dispatchEvent(new Event("input"));
  }
});

try {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  render(await response.json());
} catch (error) {
  show(byId("pages"), el("p", { class: "trouble", role: "alert", text: `The document cannot be shown: ${error.message}.` }));
}

// The server's JSON routes, its errors in its own words, and its live turns.

export class Refused extends Error {
  constructor(status, error) {
    super(error.message ?? `the server answered ${status}`);
    this.status = status;
    this.kind = error.type;
    this.hint = error.hint;
    this.traceId = error.trace_id;
  }
}

async function answer(request) {
  let response;
  let body;
  try {
    response = await request;
    body = await response.json().catch((error) => {
      // No JSON is nothing told. What was given up or cut off on its way is no answer.
      if (error instanceof SyntaxError) return {};
      throw error;
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { message: "the server does not answer", hint: "it is asked again in a moment" });
  }
  if (response.status === 401) document.dispatchEvent(new Event("clm:login"));
  // Readiness tells by its status what its body says too.
  if (!response.ok && !body.status) throw new Refused(response.status, body.error ?? {});
  return body;
}

export const get = (path, signal, headers = {}) => answer(fetch(path, { signal, headers: { accept: "application/json", ...headers } }));

export const send = (method, path, body) =>
  answer(fetch(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) }));

export const query = (pairs) => {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(pairs)) if (value) asked.set(name, value);
  return asked.size ? `?${asked}` : "";
};

/** How long after a refusal a line is tried again, in milliseconds. */
const AGAIN = 5000;

/**
 * Turns as they end, from an event stream. `heard`: `turn`, `flag`, `missed`, and `state` with whether the
 * line is up.
 */
export function watch(path, heard) {
  const source = new EventSource(path);
  const parsed = (then) => (event) => then?.(JSON.parse(event.data));
  for (const name of ["turn", "flag", "missed"]) source.addEventListener(name, parsed(heard[name]));
  source.addEventListener("open", () => heard.state(true));
  source.addEventListener("error", () => {
    heard.state(false);
    // A browser tries again by itself, except where it was refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => watch(path, heard), AGAIN);
  });
}

export async function logOut() {
  await fetch("/logout", { method: "POST" });
  location.reload();
}

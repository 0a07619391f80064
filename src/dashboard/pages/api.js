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
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { message: "the server does not answer", hint: "it is asked again in a moment" });
  }
  const body = await response.json().catch(() => ({}));
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

/**
 * Live turns, the last of before first. `heard`: `turn`, `flag`, `missed`, and `state` with whether the
 * line is up. Returns what ends it.
 */
export function watch(replay, heard) {
  const source = new EventSource(`/v1/turns/live?replay=${replay}`);
  const parsed = (then) => (event) => then(JSON.parse(event.data));
  source.addEventListener("turn", parsed(heard.turn));
  source.addEventListener("flag", parsed(heard.flag));
  source.addEventListener("missed", (event) => heard.missed(Number(event.data)));
  source.addEventListener("open", () => heard.state(true));
  // A browser tries again by itself, except where it was refused.
  source.addEventListener("error", () => heard.state(false, source.readyState === EventSource.CLOSED));
  return () => source.close();
}

export async function logOut() {
  await fetch("/logout", { method: "POST" });
  location.reload();
}

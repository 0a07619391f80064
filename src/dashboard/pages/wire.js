// The wire as a voice platform speaks it: a request like Hume's, its events as they come.

/** What is sent: the talk in OpenAI's form, how the last words sounded beside them. */
export function body(messages, sounds) {
  const list = messages.map((message) => ({ ...message }));
  const scores = Object.fromEntries(Object.entries(sounds).filter(([, score]) => score > 0));
  if (Object.keys(scores).length > 0) list.at(-1).models = { prosody: { scores } };
  return { model: "clm", stream: true, messages: list };
}

export const path = (session) => `/chat/completions?custom_session_id=${encodeURIComponent(session)}`;

/**
 * One turn. `heard`: `head` (the response's headers), `event` (an event's text as it came), `words`,
 * `end` (finish reason). Ends when the stream does; aborting `signal` hangs up as a platform would.
 */
export async function speak({ session, sent, fault, signal }, heard) {
  const headers = { "content-type": "application/json" };
  if (fault) headers["x-clm-fault"] = fault;
  const response = await fetch(path(session), { method: "POST", headers, body: JSON.stringify(sent), signal });
  heard.head(response.headers);
  if (!response.ok) {
    const { error } = await response.json().catch(() => ({}));
    throw new Error([error?.message ?? `the server answered ${response.status}`, error?.hint].filter(Boolean).join(": "));
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const events = rest.split("\n\n");
    rest = events.pop();
    events.forEach((event) => take(event, heard));
  }
}

function take(event, heard) {
  heard.event(event);
  const data = event.replace(/^data: ?/, "");
  if (!event.startsWith("data:") || data === "[DONE]") return;
  const [choice] = JSON.parse(data).choices ?? [];
  if (choice?.delta?.content) heard.words(choice.delta.content);
  if (choice?.finish_reason) heard.end(choice.finish_reason);
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function asCurl(session, sent, fault) {
  const lines = [
    `curl -N ${quoted(location.origin + path(session))}`,
    '-H "Authorization: Bearer ${CLM_API_KEYS%%,*}"',
    "-H 'Content-Type: application/json'",
    fault && `-H ${quoted(`x-clm-fault: ${fault}`)}`,
    `-d ${quoted(JSON.stringify(sent))}`,
  ];
  return lines.filter(Boolean).join(" \\\n  ");
}

export function asPython(session, sent, coach) {
  const messages = JSON.stringify(sent.messages.map(({ role, content }) => ({ role, content })), null, 4);
  return `import os
from openai import OpenAI

client = OpenAI(
    base_url=${JSON.stringify(`${location.origin}/v1`)},
    api_key=os.environ.get("CLM_API_KEY", "none"),
    default_headers={"x-clm-session": ${JSON.stringify(session)}},
)
stream = client.chat.completions.create(
    model=${JSON.stringify(coach || "clm")},
    messages=${messages},
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
`;
}

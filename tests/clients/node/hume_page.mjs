// What a page with Hume's React SDK does, without a browser: the SDK's own client, from inside a component
// of React's server renderer, is given what examples/hume/call.mjs makes of the backend's answers. Tells
// on standard output all that the page has seen.
//
// Usage: node hume_page.mjs < {"backend", "hume", "cookie", "text", "unlocks"}

import { useVoiceClient } from "@humeai/voice-react";
import { createElement } from "react";
import { renderToString } from "react-dom/server";

import { begin, unlock } from "./call.mjs";

let input = "";
for await (const piece of process.stdin) input += piece;
const asked = JSON.parse(input);

const seen = { answers: [], messages: [], closed: null };
const network = fetch;
globalThis.fetch = async (path, options) => {
  const headers = { ...options.headers, cookie: asked.cookie };
  const answer = await network(asked.backend + path, { ...options, headers });
  seen.answers.push(await answer.clone().text());
  return answer;
};

let voice;
let socket;
const ended = new Promise((resolve) => {
  function Page() {
    voice = useVoiceClient({
      onMessage: (message) => {
        seen.messages.push(message);
        if (message.type === "assistant_end") resolve();
      },
      onClose: (event) => {
        seen.closed = event.code;
        resolve();
      },
    });
    return null;
  }
  renderToString(createElement(Page));
});
// The provider takes the session settings out of the options as this does; the rest of it is microphone
// and loudspeaker.
const connect = ({ sessionSettings, ...config }) =>
  voice.connect({ ...config, hostname: asked.hume }, sessionSettings);

await begin(connect, "a-config");
const chat = seen.messages.find((message) => message.type === "chat_metadata");
if (asked.unlocks) await unlock(chat.chatId);
await network(`${asked.hume}/__heard/${chat.chatId}`, { method: "POST", body: asked.text });
await ended;
voice.disconnect();
process.stdout.write(JSON.stringify(seen));
process.exit(0);

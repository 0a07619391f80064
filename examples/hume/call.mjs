// In the browser: what begins a call with Hume's React SDK. Neither clm's keys nor Hume's are in here.

// What `connect` of `useVoice()` takes. A `custom_session_id` elsewhere, such as in the socket's
// address, is ignored by EVI. `languageModelApiKey` would fit here too, and be the browser's to read.
export function callOptions({ accessToken, configId, sessionId }) {
  return {
    auth: { type: "accessToken", value: accessToken },
    configId,
    sessionSettings: { type: "session_settings", customSessionId: sessionId },
  };
}

// From a click: browsers give no microphone otherwise.
export async function begin(connect, configId) {
  const { access_token, session_id } = await post("/call");
  await connect(callOptions({ accessToken: access_token, configId, sessionId: session_id }));
}

// As soon as `chatMetadata` tells the chat's id: the backend gives Hume the key for this chat.
export async function unlock(chatId) {
  await post("/call/key", { chat_id: chatId });
}

async function post(path, body = {}) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

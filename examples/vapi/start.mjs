// In the browser: what goes beside the assistant's id into `vapi.start` of `@vapi-ai/web`. Your backend
// gave the session id.

export function startOverrides({ sessionId }) {
  return { metadata: { session_id: sessionId } };
}

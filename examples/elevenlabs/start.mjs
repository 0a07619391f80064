// In the browser: what `Conversation.startSession` of `@elevenlabs/client` takes. Your backend gave both:
// the token from ElevenLabs, the session id from clm.

export function startOptions({ conversationToken, sessionId }) {
  return { conversationToken, customLlmExtraBody: { session_id: sessionId } };
}

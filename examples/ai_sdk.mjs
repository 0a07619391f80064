// One turn with the Vercel AI SDK, in a server of yours.
//
//     CLM_API_KEY=… node ai_sdk.mjs SESSION_ID "I have an interview on Monday."

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";

const { CLM_URL = "http://127.0.0.1:8080", CLM_API_KEY = "none" } = process.env;
const [sessionId, text] = process.argv.slice(2);

const clm = createOpenAICompatible({
  name: "clm",
  baseURL: `${CLM_URL}/v1`,
  apiKey: CLM_API_KEY,
  headers: { "x-clm-session": sessionId },
});

const { textStream } = streamText({
  model: clm("clm"),
  messages: [{ role: "user", content: text }],
});
for await (const words of textStream) process.stdout.write(words);

// One turn by one of Node's client libraries, told as JSON on standard output: what was heard, why it
// ended, or in which words it was refused.
//
// Usage: node turn.cjs openai|ai < {"url", "key", "text", "headers", "query", "body", "stop"}
//        stop: goes away at the first words

const { createRequire } = require("node:module");
const { join } = require("node:path");
const installed = createRequire(join(process.env.CLM_CLIENTS_NODE, "package.json"));

async function withOpenai(asked, heard, gone) {
  const OpenAI = installed("openai");
  const client = new OpenAI({
    baseURL: asked.url,
    apiKey: asked.key,
    defaultHeaders: asked.headers,
    defaultQuery: asked.query,
  });
  const body = { model: "clm", stream: true, messages: [{ role: "user", content: asked.text }] };
  const stream = await client.chat.completions.create({ ...body, ...asked.body }, { signal: gone });
  let finish = null;
  for await (const chunk of stream) {
    const [choice] = chunk.choices;
    heard(choice?.delta?.content ?? "");
    finish = choice?.finish_reason ?? finish;
  }
  return { finish };
}

async function withAi(asked, heard, gone) {
  const { createOpenAICompatible } = installed("@ai-sdk/openai-compatible");
  const { streamText } = installed("ai");
  const clm = createOpenAICompatible({
    name: "clm",
    baseURL: asked.url,
    apiKey: asked.key,
    headers: asked.headers,
    queryParams: asked.query,
    transformRequestBody: (body) => ({ ...body, ...asked.body }),
  });
  let failure = null;
  const { fullStream } = streamText({
    model: clm("clm"),
    prompt: asked.text,
    abortSignal: gone,
    onError: ({ error }) => {
      failure = error;
    },
  });
  let finish = null;
  for await (const part of fullStream) {
    if (part.type === "text-delta") heard(part.text);
    if (part.type === "finish") finish = part.finishReason;
  }
  if (failure) throw failure;
  return { finish };
}

async function main() {
  let input = "";
  for await (const piece of process.stdin) input += piece;
  const asked = JSON.parse(input);
  const leaving = new AbortController();
  let text = "";
  const heard = (words) => {
    text += words;
    if (words && asked.stop) leaving.abort();
  };
  const turn = { openai: withOpenai, ai: withAi }[process.argv[2]];
  let told;
  try {
    told = await turn(asked, heard, leaving.signal);
  } catch (error) {
    if (!leaving.signal.aborted) {
      // The AI SDK keeps the refusal as text, OpenAI's as an object.
      const body = error.error ?? JSON.parse(error.responseBody ?? "{}").error;
      told = { name: error.name, status: error.status ?? error.statusCode, error: body };
    }
  }
  process.stdout.write(JSON.stringify({ text, stopped: leaving.signal.aborted, ...told }));
}

main();

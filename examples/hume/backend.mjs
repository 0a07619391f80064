// The backend of a page with Hume's React SDK. Every key stays here: the browser gets a session id and a
// short-lived access token of Hume's, and Hume gets clm's key by its control plane.
//
//     ADMIN_API_KEY=… CLM_API_KEY=… HUME_API_KEY=… HUME_SECRET_KEY=… node backend.mjs

import { createServer } from "node:http";

const {
  CLM_URL = "http://127.0.0.1:8080",
  HUME_URL = "https://api.hume.ai",
  PORT = "3000",
  ADMIN_API_KEY = "",
  CLM_API_KEY = "",
  HUME_API_KEY = "",
  HUME_SECRET_KEY = "",
} = process.env;
// In place of your own login: whose cookie is which.
const LOGINS = new Map([["login=cookie-of-ines", "u-42"]]);

async function ask(url, headers, body) {
  const answer = await fetch(url, {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(5000),
  });
  if (!answer.ok) throw new Error(`${new URL(url).pathname} answered ${answer.status}`);
  return answer;
}

const json = { "content-type": "application/json" };

async function mint(userId) {
  const headers = { ...json, authorization: `Bearer ${ADMIN_API_KEY}` };
  const answer = await ask(`${CLM_URL}/v1/sessions`, headers, { user_id: userId });
  return (await answer.json()).session_id;
}

async function accessToken() {
  const basic = Buffer.from(`${HUME_API_KEY}:${HUME_SECRET_KEY}`).toString("base64");
  const headers = {
    authorization: `Basic ${basic}`,
    "content-type": "application/x-www-form-urlencoded",
  };
  const answer = await ask(`${HUME_URL}/oauth2-cc/token`, headers, "grant_type=client_credentials");
  return (await answer.json()).access_token;
}

// Hume sends this key to clm with the chat's every turn from now on. Only a chat of your own account
// can be told, so a browser that names another's chat gains nothing by it.
async function unlock(chatId) {
  const url = `${HUME_URL}/v0/evi/chat/${encodeURIComponent(chatId)}/send`;
  const settings = { type: "session_settings", language_model_api_key: CLM_API_KEY };
  await ask(url, { ...json, "x-hume-api-key": HUME_API_KEY }, settings);
}

async function answer(request) {
  const userId = LOGINS.get(request.headers.cookie);
  if (!userId) return [401, { error: "log in first" }];
  try {
    switch (`${request.method} ${request.url}`) {
      case "POST /call": {
        const [session_id, access_token] = await Promise.all([mint(userId), accessToken()]);
        return [201, { session_id, access_token }];
      }
      case "POST /call/key": {
        let body = "";
        for await (const piece of request) {
          body += piece;
          if (body.length > 1000) return [413, { error: "too long" }];
        }
        await unlock(String(JSON.parse(body).chat_id));
        return [200, {}];
      }
      default:
        return [404, { error: "there is POST /call and POST /call/key" }];
    }
  } catch (error) {
    // What it says may name what the browser should not know.
    console.error("no call:", error);
    return [502, { error: "no coach at the moment" }];
  }
}

const server = createServer(async (request, response) => {
  const [status, body] = await answer(request);
  response.writeHead(status, { ...json, "cache-control": "no-store" });
  response.end(JSON.stringify(body));
});
server.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`POST http://127.0.0.1:${server.address().port}/call`);
});

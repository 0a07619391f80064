// A front end's backend: a session id for whoever is logged in, and nothing else for the browser.
//
//     ADMIN_API_KEY=… node backend.mjs
//
// Then the page asks `POST /session`, and its own login decides whose session that is.

import { createServer } from "node:http";

const { CLM_URL = "http://127.0.0.1:8080", ADMIN_API_KEY = "", PORT = "3000" } = process.env;
// In place of your own login: whose cookie is which.
const LOGINS = new Map([["login=cookie-of-ines", "u-42"]]);

// A session id of this user's, good for two hours. Only `user_id` is needed.
async function mint(userId) {
  const answer = await fetch(`${CLM_URL}/v1/sessions`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_API_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ user_id: userId, tier: "premium", ttl_s: 7200 }),
    signal: AbortSignal.timeout(5000),
  });
  if (!answer.ok) throw new Error(`clm answered ${answer.status}`);
  return answer.json();
}

async function answer(request) {
  if (request.method !== "POST" || request.url !== "/session") {
    return [404, { error: "there is POST /session" }];
  }
  const userId = LOGINS.get(request.headers.cookie);
  if (!userId) return [401, { error: "log in first" }];
  try {
    const { session_id } = await mint(userId);
    return [201, { session_id }];
  } catch (error) {
    // What it says may name what the browser should not know.
    console.error("no session:", error);
    return [502, { error: "no coach at the moment" }];
  }
}

const server = createServer(async (request, response) => {
  const [status, body] = await answer(request);
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
});
server.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`POST http://127.0.0.1:${server.address().port}/session`);
});

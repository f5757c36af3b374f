// Our client (shared/client/edgekeep.ts) as an application uses it: it refreshes an expired token once,
// however many calls meet it, and says when somebody has to sign in.

import assert from "node:assert/strict";
import { ApiError, Edgekeep, SignInRequired } from "../../shared/client/edgekeep.ts";
import { PASSWORD } from "./api.mjs";

const ME = "/api/v1/auth/me";
const HOUR = 3_600_000;

/** A signed-in client whose requests are counted, in a time that can be moved. */
async function signedIn(api) {
  const seen = { refreshes: 0, requests: 0, later: 0, ended: 0, kept: [], broken: undefined };
  const counting = async (url, init) => {
    seen.requests += 1;
    if (url.endsWith("/auth/refresh")) seen.refreshes += 1;
    if (seen.later) init.headers.set("x-test-clock-offset-ms", String(seen.later));
    return seen.broken?.(url) ?? fetch(url, init);
  };
  const client = new Edgekeep({
    url: api.base,
    fetch: counting,
    onTokens: (tokens) => seen.kept.push(tokens),
    onSignInRequired: () => (seen.ended += 1),
  });
  const email = await api.account();
  await client.signIn(email, PASSWORD);
  return { client, seen, email };
}

const problem = (status, code, headers) =>
  new Response(JSON.stringify({ error: { code, message: code, retryable: status >= 500 } }), { status, headers });

async function refreshesOnce(api) {
  const { client, seen, email } = await signedIn(api);
  assert.equal((await client.call("GET", ME)).email, email);
  assert.equal(seen.refreshes, 0);
  seen.later = HOUR;
  const answers = await Promise.all(Array.from({ length: 10 }, () => client.call("GET", ME)));
  assert.deepEqual(new Set(answers.map((me) => me.email)), new Set([email]));
  assert.equal(seen.refreshes, 1);
  assert.equal(seen.kept.length, 2, "each pair of tokens is handed over once");
  assert.equal((await client.call("GET", ME)).email, email);
  assert.equal(seen.refreshes, 1);
}

async function goesOnFromWhatWasKept(api) {
  const { seen, email } = await signedIn(api);
  const later = new Edgekeep({ url: api.base, tokens: seen.kept.at(-1) });
  assert.equal((await later.call("GET", ME)).email, email);
}

async function doesNotLoop(api) {
  const { client, seen } = await signedIn(api);
  seen.broken = (url) => (url.endsWith(ME) ? problem(401, "TOKEN_EXPIRED") : undefined);
  seen.requests = 0;
  await assert.rejects(client.call("GET", ME), SignInRequired);
  assert.deepEqual([seen.requests, seen.refreshes, seen.ended, client.signedIn], [3, 1, 1, false]);
  // Nobody is signed in: there is nothing to ask the server.
  await assert.rejects(client.call("GET", ME), SignInRequired);
  assert.deepEqual([seen.requests, seen.ended], [3, 1]);
}

async function saysWhenTheSessionHasEnded(api) {
  const { client, seen } = await signedIn(api);
  await api.call("POST", "/api/v1/auth/logout", { bearer: seen.kept[0].access_token });
  const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => client.call("GET", ME)));
  for (const { reason } of outcomes) assert.ok(reason instanceof SignInRequired, String(reason));
  assert.deepEqual([seen.ended, seen.kept.at(-1)], [1, undefined]);
}

async function keepsTheSessionThroughAnOutage(api) {
  const { client, seen, email } = await signedIn(api);
  seen.later = HOUR;
  seen.broken = (url) => (url.endsWith("/refresh") ? problem(503, "UNAVAILABLE", { "retry-after": "5" }) : undefined);
  await assert.rejects(client.call("GET", ME), (error) => {
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.status, error.code, error.retryable, error.retryAfter], [503, "UNAVAILABLE", true, 5]);
    return true;
  });
  seen.broken = undefined;
  assert.equal((await client.call("GET", ME)).email, email);
  assert.equal(seen.ended, 0);
}

async function tellsErrorsAsTheyAre(api) {
  const { client, seen, email } = await signedIn(api);
  const wrong = { name: "", scopes: [] };
  await assert.rejects(client.call("POST", "/api/v1/api-keys", { body: wrong }), (error) => {
    assert.deepEqual([error.status, error.code, error.field], [400, "VALIDATION", "name"]);
    assert.match(error.requestId, /^req_/);
    return true;
  });
  seen.broken = () => new Response("<h1>Bad gateway</h1>", { status: 502 });
  await assert.rejects(client.call("GET", ME), (error) => error.status === 502 && error.retryable);
  seen.broken = undefined;
  await assert.rejects(client.signIn(email, "not the password"), (error) => error.code === "CREDENTIALS_INVALID");
  assert.ok(client.signedIn, "a wrong password ends no session");
  await client.signOut();
  assert.ok(!client.signedIn);
  assert.equal(seen.ended, 0, "who signs out need not be told");
}

export async function client(api) {
  await refreshesOnce(api);
  await goesOnFromWhatWasKept(api);
  await doesNotLoop(api);
  await saysWhenTheSessionHasEnded(api);
  await keepsTheSessionThroughAnOutage(api);
  await tellsErrorsAsTheyAre(api);
}

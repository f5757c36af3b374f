// Our client (shared/client/edgekeep.ts) as an application uses it: it refreshes an expired token once,
// however many calls meet it, and says when somebody has to sign in.

import assert from "node:assert/strict";
import { ApiError, Edgekeep, SignInRequired, swapTempId, tempId } from "../../shared/client/edgekeep.ts";
import { PASSWORD } from "./api.mjs";

const ME = "/api/v1/auth/me";
const HOUR = 3_600_000;

/** A signed-in client whose requests are counted, in a time that can be moved. */
async function signedIn(api) {
  const seen = { refreshes: 0, requests: 0, later: 0, ended: 0, kept: [], keys: [], broken: undefined };
  const counting = async (url, init) => {
    seen.requests += 1;
    if (url.endsWith("/auth/refresh")) seen.refreshes += 1;
    if (seen.later) init.headers.set("x-test-clock-offset-ms", String(seen.later));
    seen.keys.push(init.headers.get("idempotency-key"));
    return (await seen.broken?.(url, init)) ?? fetch(url, init);
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
    assert.equal(error.details.code, "VALIDATION");
    assert.match(error.requestId, /^req_/);
    return true;
  });
  const made = await client.call("POST", PROJECTS, { body: { name: "Apollo" }, idempotencyKey: true });
  const late = { name: "Artemis", version: made.version + 1 };
  await assert.rejects(client.call("PATCH", `${PROJECTS}/${made.id}`, { body: late }), (error) => {
    assert.deepEqual([error.code, error.details.expected], ["VERSION_CONFLICT", made.version]);
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

const PROJECTS = "/api/v1/projects";

/** The first attempts fail in that way; the requests that they were are done all the same if `late`. */
function failing(seen, times, answer, late) {
  let left = times;
  seen.keys = [];
  seen.broken = async (url, init) => {
    if (left === 0) return undefined;
    left -= 1;
    if (late) await fetch(url, init);
    return answer();
  };
}

async function sendsTheSameKeyAgain(api) {
  const { client, seen } = await signedIn(api);
  const make = (name, call) => client.call("POST", PROJECTS, { body: { name }, ...call });
  const away = () => problem(503, "UNAVAILABLE", { "retry-after": "0" });
  const names = async () => (await client.call("GET", PROJECTS)).map((project) => project.name).sort();

  // Done and not heard of, then an outage, then an answer: one project, one key.
  failing(seen, 1, away, true);
  const first = await make("first", { idempotencyKey: true });
  assert.equal(seen.keys.length, 2);
  assert.match(seen.keys[0], /^[0-9a-f-]{36}$/);
  assert.equal(seen.keys[0], seen.keys[1], "a retry carries the same key");
  assert.deepEqual(await names(), ["first"]);

  // A connection that is gone is an outage too. A key of one's own stands for one project for ever.
  failing(seen, 2, () => Promise.reject(new TypeError("fetch failed")));
  const second = await make("second", { idempotencyKey: "mine" });
  assert.deepEqual(seen.keys, ["mine", "mine", "mine"]);
  assert.equal((await make("second", { idempotencyKey: "mine" })).id, second.id);
  assert.notEqual(second.id, first.id);
  assert.deepEqual(await names(), ["first", "second"]);

  // An end: three attempts, none where it would not help, none without a key.
  failing(seen, 9, away);
  await assert.rejects(make("third", { idempotencyKey: true }), { code: "UNAVAILABLE" });
  assert.equal(seen.keys.length, 3);
  failing(seen, 9, away);
  await assert.rejects(make("third"), { code: "UNAVAILABLE" });
  assert.deepEqual(seen.keys, [null]);
  failing(seen, 9, () => problem(429, "RATE_LIMITED", { "retry-after": "3600" }));
  await assert.rejects(make("third", { idempotencyKey: true }), { retryAfter: 3600 });
  assert.equal(seen.keys.length, 1);
  failing(seen, 0);
  await assert.rejects(make("", { idempotencyKey: true }), { code: "VALIDATION" });
  assert.equal(seen.keys.length, 1);
  const gone = new AbortController();
  failing(seen, 9, () => (gone.abort(), problem(503, "UNAVAILABLE", { "retry-after": "9" })));
  await assert.rejects(make("third", { idempotencyKey: true, signal: gone.signal }));
  assert.equal(seen.keys.length, 1);
}

async function swapsTemporaryIds(api) {
  const { client, seen } = await signedIn(api);
  const untouched = { id: "prj_other" };
  let state = { projects: [untouched], open: null, marks: {} };
  // The answer is lost once: the thing is there all the same, once.
  failing(seen, 1, () => problem(503, "UNAVAILABLE", { "retry-after": "0" }), true);
  const { made, swap } = await client.create(PROJECTS, { name: "Apollo" }, (draft) => {
    assert.match(draft.id, /^temp_[0-9a-f-]{36}$/);
    state = { projects: [...state.projects, draft], open: draft.id, marks: { [draft.id]: [draft.id] } };
  });
  assert.match(JSON.stringify(state), /temp_/);
  state = swap(state);
  assert.ok(!JSON.stringify([state, made]).includes("temp_"), JSON.stringify(state));
  assert.deepEqual(state, { projects: [untouched, made], open: made.id, marks: { [made.id]: [made.id] } });
  assert.equal(state.projects[0], untouched, "what has not changed is the same object");
  assert.equal(swap(state), state);
  assert.deepEqual((await client.call("GET", PROJECTS)).map((project) => project.id), [made.id]);

  // Answers in any order, each in its own place.
  const drafts = ["a", "b"].map((name) => ({ id: tempId(), name }));
  const answers = drafts.map(({ id, name }) => ({ id: `prj_${name}`, client_temp_id: id, name, version: 1 }));
  const both = answers.reverse().reduce(swapTempId, drafts);
  assert.deepEqual(both, [{ id: "prj_a", name: "a", version: 1 }, { id: "prj_b", name: "b", version: 1 }]);
}

export async function clientRetries(api) {
  await sendsTheSameKeyAgain(api);
}

export async function clientSwaps(api) {
  await swapsTemporaryIds(api);
}

export async function client(api) {
  await refreshesOnce(api);
  await goesOnFromWhatWasKept(api);
  await doesNotLoop(api);
  await saysWhenTheSessionHasEnded(api);
  await keepsTheSessionThroughAnOutage(api);
  await tellsErrorsAsTheyAre(api);
}

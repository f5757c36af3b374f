// oauth2-mock-server, as a provider that signs its ID tokens: the whole flow with code, PKCE, state and
// nonce. It takes the place of the one that the acceptance suite plays (tests/acceptance/vars), once that
// has ended.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { OAuth2Server } from "oauth2-mock-server";

const PROVIDER = "/api/v1/auth/oauth/mock";
const ISSUER = process.env.OAUTH_HOST;

/** Starts it where the API looks for it. */
async function started() {
  const server = new OAuth2Server();
  await server.issuer.keys.generate("RS256");
  await server.start(Number(new URL(ISSUER).port), "127.0.0.1");
  server.issuer.url = ISSUER;
  return server;
}

export async function oauth2(api) {
  const server = await started();
  try {
    await flow(api, server);
  } finally {
    await server.stop();
  }
}

async function flow(api, server) {
  const person = { sub: randomUUID(), email: `counterpart-${randomUUID()}@example.com`, email_verified: true };
  const asked = [];
  let change = {};
  server.service.on("beforeTokenSigning", (token, request) => {
    asked.push(request);
    Object.assign(token.payload, person, change);
  });
  const leave = async () => {
    const start = await api.send("GET", `${PROVIDER}/start?mode=bearer`);
    assert.equal(start.status, 302);
    const cookie = start.headers.get("set-cookie").split(";")[0];
    const url = new URL(start.headers.get("location"));
    assert.equal(url.origin, ISSUER);
    for (const name of ["state", "nonce", "code_challenge"]) assert.ok(url.searchParams.get(name), name);
    return { cookie, url };
  };
  /** The provider sends the browser back; `edit` is what somebody changes on the way. */
  const comeBack = async ({ cookie, url }, edit = () => {}) => {
    const answer = await fetch(url, { redirect: "manual" });
    assert.equal(answer.status, 302, await answer.text());
    const back = new URL(answer.headers.get("location"));
    edit(back.searchParams);
    return api.send("GET", `${PROVIDER}/callback${back.search}`, { headers: { cookie } });
  };
  const data = async (response, status) => {
    const text = await response.text();
    assert.equal(response.status, status, text);
    return JSON.parse(text);
  };

  const first = (await data(await comeBack(await leave()), 200)).data;
  assert.equal((await api.me(first.access_token)).email, person.email);
  const again = (await data(await comeBack(await leave()), 200)).data;
  assert.equal((await api.me(again.access_token)).id, (await api.me(first.access_token)).id);
  const next = await api.call("POST", "/api/v1/auth/refresh", { body: { refresh_token: again.refresh_token } });
  assert.notEqual(next.refresh_token, again.refresh_token);
  assert.ok(asked.length >= 2, "no token was signed");

  const refused = async (response, status, code) => assert.equal((await data(response, status)).error.code, code);
  await refused(await comeBack(await leave(), (query) => query.set("state", "another")), 400, "OAUTH_STATE_INVALID");
  await refused(await comeBack(await leave(), (query) => query.set("iss", "https://evil.test")), 400, "OAUTH_REFUSED");
  // Another flow's code: the provider itself refuses it, because the verifier does not fit (PKCE).
  const other = await leave();
  const stolen = new URL((await fetch(other.url, { redirect: "manual" })).headers.get("location")).searchParams.get("code");
  await refused(await comeBack(await leave(), (query) => query.set("code", stolen)), 400, "OAUTH_REFUSED");
  for (change of [{ nonce: "another" }, { iss: "https://evil.test" }, { aud: "another" }]) {
    await refused(await comeBack(await leave()), 400, "OAUTH_REFUSED");
  }
  change = { email_verified: false, sub: randomUUID() };
  await refused(await comeBack(await leave()), 403, "OAUTH_EMAIL_UNVERIFIED");
}

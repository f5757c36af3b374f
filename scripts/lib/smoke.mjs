// One try of each way to prove who one is: smoke.mjs URL (scripts/smoke says what it takes)

import { createHmac, hkdfSync, randomUUID } from "node:crypto";

const [base, ...more] = process.argv.slice(2);
if (!base || more.length > 0) {
  console.error("smoke: needs the URL of a server");
  process.exit(1);
}
const PASSWORD = `smoke ${randomUUID()}`;

class NotRun extends Error {}

/** An answer's status and JSON. */
async function call(method, path, { bearer, body, headers = {} } = {}) {
  const all = { ...headers };
  if (bearer) all.authorization = `Bearer ${bearer}`;
  if (body) all["content-type"] = "application/json";
  const init = { method, headers: all, body: body && JSON.stringify(body), redirect: "manual" };
  const response = await fetch(base + path, { ...init, signal: AbortSignal.timeout(30_000) });
  const text = await response.text();
  const json = text.startsWith("{") ? JSON.parse(text) : {};
  return { status: response.status, data: json.data, code: json.error?.code, headers: response.headers };
}

/** The same, where anything but this status is a failure. Answers are not shown: they hold tokens. */
async function expect(status, method, path, options) {
  const answer = await call(method, path, options);
  if (answer.status !== status) {
    throw new Error(`${method} ${path.split("?")[0]}: ${answer.status} ${answer.code ?? ""}, not ${status}`);
  }
  return answer;
}

/** Whether mails can be read here, so that accounts can be made. */
let mails;
async function canMake() {
  mails ??= (await call("GET", "/api/v1/dev/mailbox?to=smoke@example.com")).status === 200;
  return mails;
}

async function made() {
  const email = `smoke-${randomUUID()}@example.com`;
  await expect(201, "POST", "/api/v1/auth/register", { body: { email, password: PASSWORD } });
  const { data } = await expect(200, "GET", `/api/v1/dev/mailbox?to=${email}`);
  await expect(200, "POST", "/api/v1/auth/verify", { body: { token: data[0].link.split("token=")[1] } });
  return { email, password: PASSWORD };
}

/** An account from the environment, or a new one. */
async function account(prefix) {
  const [email, password] = [process.env[`${prefix}_EMAIL`], process.env[`${prefix}_PASSWORD`]];
  if (email && password) return { email, password };
  if (await canMake()) return made();
  throw new NotRun(`${prefix}_EMAIL and ${prefix}_PASSWORD are not set`);
}

async function login(body) {
  return (await expect(200, "POST", "/api/v1/auth/login", { body })).data;
}

/** The session works, and after logout it does not. */
async function usedAndEnded(tokens) {
  const bearer = tokens.access_token;
  await expect(200, "GET", "/api/v1/auth/me", { bearer });
  await expect(200, "POST", "/api/v1/auth/logout", { bearer });
  await expect(401, "GET", "/api/v1/auth/me", { bearer });
}

async function password() {
  const who = await account("SMOKE");
  await expect(401, "POST", "/api/v1/auth/login", { body: { email: `no-${randomUUID()}@example.com`, password: PASSWORD } });
  await usedAndEnded(await login(who));
}

async function refresh() {
  const first = await login(await account("SMOKE"));
  const body = { refresh_token: first.refresh_token };
  const { data: next } = await expect(200, "POST", "/api/v1/auth/refresh", { body });
  if (next.refresh_token === first.refresh_token) throw new Error("the refresh token was not rotated");
  await usedAndEnded(next);
}

/** RFC 6238, `ahead` steps from now. */
function code(secret, ahead = 0) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replaceAll(/[\s=]/g, "").toUpperCase()].map((c) => alphabet.indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const mac = createHmac("sha1", key).update(step).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

async function secondFactor() {
  let [who, secret, ahead] = [null, process.env.SMOKE_MFA_SECRET, 0];
  if (secret) who = await account("SMOKE_MFA");
  else if (await canMake()) {
    who = await made();
    const { access_token: bearer } = await login(who);
    ({ secret } = (await expect(200, "POST", "/api/v1/auth/mfa/start", { bearer, body: {} })).data);
    await expect(200, "POST", "/api/v1/auth/mfa/confirm", { bearer, body: { code: code(secret) } });
    ahead = 1; // this step's code is used
  } else throw new NotRun("SMOKE_MFA_SECRET is not set");
  const { mfa_token } = await login(who);
  if (!mfa_token) throw new Error("the account was let in without its second factor");
  await expect(401, "GET", "/api/v1/auth/me", { bearer: mfa_token });
  const body = { mfa_token, code: code(secret, ahead) };
  await usedAndEnded((await expect(200, "POST", "/api/v1/auth/mfa/verify", { body })).data);
}

/** As far as it goes without a person at the provider. */
async function providers() {
  const { data } = await expect(200, "GET", "/api/v1/auth/oauth");
  if (data.length === 0) throw new NotRun("no provider is configured");
  for (const { id } of data) {
    const { headers } = await expect(302, "GET", `/api/v1/auth/oauth/${id}/start`);
    const url = new URL(headers.get("location"));
    for (const name of ["client_id", "state", "code_challenge", "redirect_uri"]) {
      if (!url.searchParams.get(name)) throw new Error(`${id} is asked without ${name}`);
    }
    const cookie = headers.get("set-cookie").split(";")[0];
    await expect(400, "GET", `/api/v1/auth/oauth/${id}/callback?state=another&code=x`, { headers: { cookie } });
  }
}

async function apiKey() {
  let key = process.env.SMOKE_API_KEY;
  if (!key) {
    if (!(await canMake())) throw new NotRun("SMOKE_API_KEY is not set");
    const { access_token: bearer } = await login(await made());
    const body = { name: "smoke", scopes: ["usage:read"] };
    ({ key } = (await expect(201, "POST", "/api/v1/api-keys", { bearer, body })).data);
  }
  const answers = await Promise.all(["/api/v1/usage/summary", "/api/v1/jobs"].map((path) => call("GET", path, { bearer: key })));
  if (!answers.some(({ status }) => status === 200)) throw new Error(`the key was refused: ${answers[0].code}, ${answers[1].code}`);
  const other = key.endsWith("0") ? "1" : "0";
  await expect(401, "GET", "/api/v1/usage/summary", { bearer: key.slice(0, -1) + other });
}

/** A service token for that function. */
function token(aud) {
  const secret = process.env.SERVICE_JWT_SECRET;
  if (!secret) throw new NotRun("SERVICE_JWT_SECRET is not set");
  const key = Buffer.from(hkdfSync("sha256", secret, "edgekeep", "service-jwt", 32));
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: "edgekeep-service", aud: `edgekeep-${aud}`, sub: "smoke", iat: now, nbf: now, exp: now + 60 };
  const message = `${part({ alg: "HS256", typ: "service+jwt" })}.${part(claims)}`;
  return `${message}.${createHmac("sha256", key).update(message).digest("base64url")}`;
}

async function serviceToken() {
  await expect(200, "GET", "/api/v1/scheduler/tasks", { bearer: token("scheduler") });
  await expect(401, "GET", "/api/v1/scheduler/tasks", { bearer: token("auth") });
}

/** Pays at Stripe, as a browser with a card for tests would; the PaymentIntent. */
async function paid(intent) {
  const response = await fetch(`${process.env.STRIPE_API_BASE || "https://api.stripe.com"}/v1/payment_intents/${intent}/confirm`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${process.env.STRIPE_SECRET_KEY}`,
      "stripe-version": "2026-09-30.endive",
      "content-type": "application/x-www-form-urlencoded",
      "idempotency-key": randomUUID(),
    },
    body: "payment_method=pm_card_visa&return_url=https%3A%2F%2Fexample.com",
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) throw new Error(`Stripe: ${response.status}`);
  return response.json();
}

/** The event that Stripe would send. */
async function tell(object) {
  const secret = process.env.STRIPE_WEBHOOK_SECRET?.split(",")[0];
  if (!secret) return;
  const created = Math.floor(Date.now() / 1000);
  const event = { id: `evt_${randomUUID()}`, type: "payment_intent.succeeded", created, livemode: false, data: { object } };
  const body = JSON.stringify(event);
  const mac = createHmac("sha256", secret).update(`${created}.${body}`).digest("hex");
  const headers = { "content-type": "application/json", "stripe-signature": `t=${created},v1=${mac}` };
  const response = await fetch(`${base}/webhooks/stripe`, { method: "POST", headers, body });
  if (!response.ok) throw new Error(`the webhook: ${response.status}`);
}

async function payment() {
  if (!process.env.STRIPE_SECRET_KEY?.startsWith("sk_test_")) throw new NotRun("STRIPE_SECRET_KEY is none of test mode");
  let product = process.env.SMOKE_PRODUCT;
  const { access_token: bearer } = await login(await account("SMOKE"));
  if (!product) {
    if (!(await canMake())) throw new NotRun("SMOKE_PRODUCT is not set");
    product = "smoke";
    const body = { key: product, name: "Smoke test", unitAmountMinor: 100, currency: "usd" };
    await expect(200, "PUT", "/api/v1/payments/products", { bearer: token("payments"), body });
  }
  const key = () => ({ "idempotency-key": randomUUID() });
  const { data } = await expect(201, "POST", "/api/v1/payments", { bearer, body: { product }, headers: key() });
  const place = `/api/v1/payments/${data.id}`;
  await tell(await paid(data.paymentIntent));
  let status = data.status;
  for (let tries = 0; tries < 30 && status !== "paid"; tries += 1) {
    ({ status } = (await expect(200, "GET", place, { bearer })).data);
    if (status !== "paid") await new Promise((done) => setTimeout(done, 1_000));
  }
  if (status !== "paid") throw new Error(`it was paid, and is ${status} after 30 s: do Stripe's events arrive?`);
  const { data: back } = await expect(200, "DELETE", place, { bearer, headers: key() });
  if (back.refundedMinor !== back.amountMinor) throw new Error("it was cancelled and not given back");
}

const ways = { password, refresh, "second factor": secondFactor, providers, "API key": apiKey, "service token": serviceToken, payment };
for (const [name, run] of Object.entries(ways)) {
  let outcome = "ok";
  try {
    await run();
  } catch (error) {
    const left = error instanceof NotRun;
    outcome = left ? `not run: ${error.message}` : `FAILED: ${error.message}`;
    if (!left || process.env.SMOKE_REQUIRE === "all") process.exitCode = 1;
  }
  console.log(`${`${name}:`.padEnd(15)} ${outcome}`);
}

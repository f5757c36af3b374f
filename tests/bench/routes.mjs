// The measured routes: their requests, and what must be true of the answers and of the rows afterwards.

import { createHash, createHmac, randomBytes, sign } from "node:crypto";
import { crc32 } from "node:zlib";
import { request } from "./load.mjs";
import { keyId, refreshKey, SECRETS, signingKey } from "./stacks.mjs";

export const [TENANT, USER, SESSION] = ["ten", "usr", "ses"].map((prefix) => `${prefix}_01bench000000000000000000`);
const keyBody = `ek_live_bench00000000000_${"k".repeat(32)}`;
const API_KEY = keyBody + crc32(keyBody).toString(16).padStart(8, "0");
/** Sessions that are refreshed in turn, so that no two requests at a time are of the same. */
const SESSIONS = 2_000;
const sessionId = (number) => `ses_01bench${String(number).padStart(19, "0")}`;
const METERS = ["api.calls", "tokens.in", "tokens.out", "storage.bytes"];

/** A tenant with a member, a session and a key, on a plan with a quota far away; sessions are refreshed from the first one on. */
export async function seed(db) {
  refreshes = 0;
  const now = Date.now();
  const far = now + 86_400_000;
  const insert = (table, row) =>
    db
      .prepare(`INSERT INTO ${table} (${Object.keys(row)}) VALUES (${Object.keys(row).fill("?")})`)
      .bind(...Object.values(row));
  const [made, member] = [{ created_at: now }, { tenant_id: TENANT, user_id: USER }];
  const price = { price_minor: 0, currency: "usd", stripe_lookup_key: "bench_monthly" };
  await db.batch([
    insert("plans", { id: "BENCH", name: "Bench", monthly_events: 1e12, max_api_keys: 5, sort: 9, ...price }),
    insert("tenants", { id: TENANT, name: "Bench", plan_id: "BENCH", updated_at: now, ...made }),
    insert("users", {
      id: USER,
      email: "a@bench.invalid",
      password_hash: "x",
      email_verified_at: now,
      updated_at: now,
      ...made,
    }),
    insert("memberships", { ...member, role: "founder", ...made }),
    insert("sessions", { id: SESSION, ...member, refresh_counter: 0, refreshed_at: now, expires_at: far, ...made }),
    insert("api_keys", {
      id: "key_bench00000000000",
      ...member,
      name: "bench",
      secret_hash: createHash("sha256").update(API_KEY).digest("base64url"),
      scopes: 7,
      ...made,
    }),
    db
      .prepare(
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
         INSERT INTO sessions (id, tenant_id, user_id, refresh_counter, refreshed_at, created_at, expires_at)
         SELECT 'ses_01bench' || substr('0000000000000000000' || i, -19), ?2, ?3, 0, ?4, ?4, ?5 FROM n`,
      )
      .bind(SESSIONS, TENANT, USER, now, far),
  ]);
}

const json = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function token() {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: "edgekeep", aud: "edgekeep-api", sub: USER, ten: TENANT, sid: SESSION, role: "founder" };
  const times = { jti: `jwt_${randomBytes(12).toString("hex")}`, iat: now, nbf: now, exp: now + 900 };
  const signed = `${json({ alg: "EdDSA", kid: keyId, typ: "at+jwt" })}.${json({ ...claims, ...times })}`;
  return `${signed}.${sign(null, Buffer.from(signed), signingKey).toString("base64url")}`;
}

const me = (bearer) => request("GET", "/api/v1/auth/me", { authorization: `Bearer ${bearer}` });

let projects = 0;
/** Makes a project, under the idempotency key of that name. */
function project(bearer, key) {
  const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json", "idempotency-key": key };
  return request("POST", "/api/v1/projects", headers, JSON.stringify({ name: "Bench", metadata: { tier: 1 } }));
}

const summary = () => request("GET", "/api/v1/usage/summary", { authorization: `Bearer ${API_KEY}` });

/** `er_` and the base64url of version, session, counter, half an HMAC and a checksum. */
function refreshToken(session, counter) {
  const number = Buffer.alloc(8);
  number.writeBigInt64BE(BigInt(counter));
  const signed = Buffer.concat([Buffer.from([1]), Buffer.from(session), number]);
  const sealed = Buffer.concat([signed, createHmac("sha256", refreshKey).update(signed).digest().subarray(0, 16)]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(sealed));
  return `er_${Buffer.concat([sealed, checksum]).toString("base64url")}`;
}

let refreshes = 0;
/** A refresh, each time of the next session. */
export function refresh() {
  const number = refreshes++;
  const token = refreshToken(sessionId((number % SESSIONS) + 1), Math.floor(number / SESSIONS));
  const body = JSON.stringify({ refresh_token: token });
  return request("POST", "/api/v1/auth/refresh", { "content-type": "application/json" }, body);
}

let events = 0;
/** New events of four meters, over three hours. */
export function ingest(count) {
  const now = Date.now();
  const list = Array.from({ length: count }, () => {
    const number = events++;
    const timestamp = new Date(now - (number % 3) * 1_800_000).toISOString();
    const meter = METERS[number % METERS.length];
    return { id: `evt-${now}-${number}`, source: "bench", meter, quantity: (number % 7) + 1, subject: "cus_1", timestamp };
  });
  const headers = { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" };
  return request("POST", "/api/v1/usage/events", headers, JSON.stringify(count === 1 ? list[0] : { events: list }));
}

let deliveries = 0;
function stripe() {
  const created = Math.floor(Date.now() / 1000);
  const price = { id: "price_1", object: "price", active: true, currency: "usd", lookup_key: "bench_monthly", unit_amount: 2900 };
  const item = { id: "si_1", object: "subscription_item", created, current_period_end: created + 86_400, price, quantity: 1 };
  const object = {
    id: "sub_bench",
    object: "subscription",
    billing_mode: { type: "flexible" },
    cancel_at: null,
    cancel_at_period_end: false,
    collection_method: "charge_automatically",
    created,
    currency: "usd",
    customer: "cus_bench",
    description: "A subscription of about the size that Stripe sends. ".repeat(20),
    items: { object: "list", data: [item], has_more: false, url: "/v1/subscription_items?subscription=sub_bench" },
    latest_invoice: "in_1",
    livemode: true,
    metadata: { tenant_id: TENANT },
    payment_settings: { payment_method_types: ["card"], save_default_payment_method: "off" },
    start_date: created,
    status: "active",
  };
  const event = {
    id: `evt_${randomBytes(8).toString("hex")}${deliveries++}`,
    object: "event",
    api_version: "2026-09-30.endive",
    created,
    data: { object, previous_attributes: { status: "past_due" } },
    livemode: true,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type: "customer.subscription.updated",
  };
  const body = JSON.stringify(event, null, 2);
  const signature = createHmac("sha256", SECRETS.stripe).update(`${created}.${body}`).digest("hex");
  const headers = { "content-type": "application/json", "stripe-signature": `t=${created},v1=${signature}` };
  return request("POST", "/webhooks/stripe", headers, body);
}

const USAGE_ROWS = `SELECT (SELECT COUNT(*) FROM usage_events) AS events, (SELECT SUM(events) FROM usage_hourly) AS rolled,
  (SELECT SUM(quantity) FROM usage_hourly) = (SELECT SUM(quantity) FROM usage_events) AS equal,
  (SELECT events FROM usage_months) AS counted`;
const STRIPE_ROWS = `SELECT COUNT(*) AS events, COUNT(done_at) AS done, MIN(outcome) AS outcome, (SELECT COUNT(*) FROM subscriptions) AS subscriptions,
  (SELECT epoch FROM tenants) AS epoch, (SELECT plan_id FROM tenants) AS plan FROM stripe_inbox`;

const GUARD_ROWS = `SELECT (SELECT COUNT(*) FROM projects) AS projects, (SELECT COUNT(*) FROM idempotency_keys) AS keys,
  (SELECT COUNT(*) FROM audit_log) AS entries`;

const many = (count, make) => Array.from({ length: count }, make);

/**
 * Each makes `count` requests, answered with `status` (200 without one); `rows` is what both databases must agree on;
 * `calls` are Hono's of D1.
 */
export const ROUTES = [
  { name: "health", worker: "health", make: (count) => Array(count).fill(request("GET", "/healthz")) },
  { name: "me, token first seen", worker: "profile", make: (count) => many(count, () => me(token())), calls: 1 },
  { name: "me, token repeated", worker: "profile", make: (count) => Array(count).fill(me(token())), calls: 1 },
  {
    name: "refresh",
    worker: "auth",
    make: (count) => many(count, refresh),
    calls: 1,
    rows: "SELECT COUNT(*) AS sessions, SUM(refresh_counter) AS refreshes FROM sessions",
  },
  // The whole guard path: token, limit, session, idempotency key. Replayed, there is nothing else.
  {
    name: "guarded write, new key",
    worker: "resources",
    make(count) {
      const bearer = token();
      return many(count, () => project(bearer, `bench-${projects++}`));
    },
    calls: 4,
    status: 201,
    rows: GUARD_ROWS,
  },
  {
    name: "guarded write, replayed",
    worker: "resources",
    make: (count) => Array(count).fill(project(token(), "bench-again")),
    calls: 1,
    status: 201,
    rows: GUARD_ROWS,
  },
  { name: "ingest of 1", worker: "usage", make: (count) => many(count, () => ingest(1)), calls: 2, rows: USAGE_ROWS },
  {
    name: "ingest of 100",
    worker: "usage",
    make: (count) => many(count, () => ingest(100)),
    calls: 2,
    rows: USAGE_ROWS,
    events: 100,
  },
  {
    name: "ingest of 1,000",
    worker: "usage",
    make: (count) => many(count, () => ingest(1_000)),
    calls: 2,
    rows: USAGE_ROWS,
    events: 1_000,
  },
  { name: "usage query, by key", worker: "meters", make: (count) => Array(count).fill(summary()), calls: 1 },
  { name: "Stripe event", worker: "stripe-webhook", make: (count) => many(count, stripe), calls: 2, rows: STRIPE_ROWS },
];

/** Fit to stand beside each other: times, ids and wording differ by nature. */
export function comparable(text) {
  const { success, data, error } = JSON.parse(text);
  const plain = (key, value) => {
    if (["createdAt", "updatedAt", "emailVerifiedAt", "message", "access_token"].includes(key)) return undefined;
    if (typeof value === "string" && value.startsWith("prj_")) return "prj";
    // What a role may do grows; that both sides tell it is enough here.
    if (key === "permissions") return value.length > 0;
    return value?.constructor === Object ? Object.fromEntries(Object.entries(value).sort()) : value;
  };
  return JSON.stringify({ success, code: error?.code, data }, plain);
}

const bare = request("POST", "/api/v1/usage/events", { "content-type": "application/json" }, "{}");
const unsigned = request("POST", "/webhooks/stripe", { "content-type": "application/json", "stripe-signature": "t=1,v1=0" }, "{}");
const mixed = JSON.stringify([{ id: "m1", meter: "m" }, { id: "m1", meter: "m" }, { id: "m2" }, 7]);
const authorization = `Bearer ${API_KEY}`;

/** Requests that both sides must refuse, wholly or in part, in the same way. */
export const REFUSED = {
  auth: [],
  health: [request("GET", "/nowhere")],
  meters: [],
  profile: [me(`${token()}x`), request("GET", "/api/v1/auth/me")],
  resources: [project(`${token()}x`, "bench")],
  usage: [bare, request("POST", "/api/v1/usage/events", { authorization, "content-type": "application/json" }, mixed)],
  "stripe-webhook": [unsigned],
};

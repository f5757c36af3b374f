import { api, base64url, bearer, fail, ok, rateLimit } from "./common.js";

const DAY = 86_400_000;
const HOUR = 3_600_000;
const WRITE = 1;
const READ = 2;
/** D1 binds a hundred parameters: so many rows of eight fit into one statement. */
const ROWS = 12;

/** Finds the key's row; it is `c.get("key")` afterwards, with the tenant's quota. */
async function authenticate(c, next) {
  const token = bearer(c);
  const refuse = () => fail(401, "API_KEY_INVALID", "The API key is not valid.");
  const id = token.match(/^ek_live_([0-9a-z]{16})_[0-9a-z]{40}$/)?.[1] ?? refuse();
  const hash = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
  c.set("credential", { id: `key_${id}`, hash });
  await next();
}

const text = (value) => typeof value === "string" && value.length > 0 && value.length <= 200 && !/\p{Cc}/u.test(value);

/** The event to store, or the field that is wrong. */
function read(item, now) {
  if (item === null || typeof item !== "object") return { invalid: "event" };
  const cloud = item.specversion !== undefined;
  const source = item.source ?? "api";
  const meter = cloud ? item.type : item.meter;
  const quantity = (cloud ? item.data?.quantity : item.quantity) ?? 1;
  const time = cloud ? item.time : item.timestamp;
  const at = time === undefined ? now : Date.parse(time);
  if (cloud && item.specversion !== "1.0") return { invalid: "specversion" };
  if (!text(source)) return { invalid: "source" };
  if (!text(item.id)) return { invalid: "id" };
  if (!text(meter)) return { invalid: "meter" };
  if (!Number.isSafeInteger(quantity) || quantity < 0 || quantity > 1e9) return { invalid: "quantity" };
  if (item.subject !== undefined && !text(item.subject)) return { invalid: "subject" };
  if (!(at >= now - 35 * DAY && at <= now + 300_000)) return { invalid: "timestamp" };
  return { source, id: item.id, meter, quantity, subject: item.subject ?? null, at };
}

function* chunks(list, size) {
  for (let i = 0; i < list.length; i += size) yield list.slice(i, i + size);
}

const list = (count, item) => Array(count).fill(item).join(", ");
const name = (event) => `${event.source}\n${event.id}`;

const app = api();
app.post(
  "/api/v1/usage/events",
  authenticate,
  rateLimit("ingest", (c) => c.get("credential").id),
  async (c) => {
    const { DB } = c.env;
    const now = Date.now();
    const month = new Date(now).toISOString().slice(0, 7);
    const body = await c.req.json().catch(() => fail(400, "INVALID_JSON", "The body is not valid JSON."));
    const items = Array.isArray(body) ? body : (body.events ?? [body]);
    if (items.length < 1 || items.length > 1000) fail(400, "VALIDATION", "Must hold 1 to 1000 events.");
    const events = items.map((item) => read(item, now));
    const distinct = new Map();
    for (const event of events) if (!event.invalid && !distinct.has(name(event))) distinct.set(name(event), event);

    // First round trip: who is it, how much of the quota is used, and which events are known.
    const { id, hash } = c.get("credential");
    const [[key], ...known] = (
      await DB.batch([
        DB.prepare(
          `SELECT k.tenant_id, k.scopes, k.revoked_at, k.expires_at, u.disabled_at, t.deleted_at,
             p.monthly_events AS quota, COALESCE(n.events, 0) AS used
           FROM api_keys k
           JOIN tenants t ON t.id = k.tenant_id
           JOIN plans p ON p.id = t.plan_id
           JOIN users u ON u.id = k.user_id
           JOIN memberships m ON m.user_id = k.user_id AND m.tenant_id = k.tenant_id
           LEFT JOIN usage_months n ON n.tenant_id = k.tenant_id AND n.month = ?
           WHERE k.id = ? AND k.secret_hash = ?`,
        ).bind(month, id, hash),
        ...[...chunks([...distinct.values()], 48)].map((part) =>
          DB.prepare(
            `SELECT source, event_id FROM usage_events
             WHERE tenant_id = (SELECT tenant_id FROM api_keys WHERE id = ?)
               AND (source, event_id) IN (VALUES ${list(part.length, "(?, ?)")})`,
          ).bind(id, ...part.flatMap((event) => [event.source, event.id])),
        ),
      ])
    ).map(({ results }) => results);
    const gone = [key?.revoked_at, key?.disabled_at, key?.deleted_at].some((time) => time !== null);
    if (gone || (key.expires_at !== null && key.expires_at <= now)) {
      fail(401, "API_KEY_INVALID", "The API key is not valid.");
    }
    if ((key.scopes & WRITE) === 0) fail(403, "SCOPE_MISSING", "The key lacks the scope usage:write.");
    const seen = new Set(known.flat().map(({ source, event_id }) => `${source}\n${event_id}`));
    const fresh = [...distinct.values()].filter((event) => !seen.has(name(event)));
    if (key.quota !== null && key.used + fresh.length > key.quota) fail(403, "QUOTA_EXCEEDED", "The quota is used up.");

    // Second round trip: store the new ones, fold them into their hours, count them.
    if (fresh.length > 0) {
      const hours = new Map();
      for (const { meter, at, quantity } of fresh) {
        const hour = at - (at % HOUR);
        const sum = hours.get(`${meter}\n${hour}`) ?? { meter, hour, quantity: 0, events: 0 };
        hours.set(`${meter}\n${hour}`, sum);
        sum.quantity += quantity;
        sum.events += 1;
      }
      await DB.batch([
        ...[...chunks(fresh, ROWS)].map((part) =>
          DB.prepare(
            `INSERT INTO usage_events (tenant_id, source, event_id, meter, quantity, subject, occurred_at, received_at)
             VALUES ${list(part.length, "(?, ?, ?, ?, ?, ?, ?, ?)")}
             ON CONFLICT (tenant_id, source, event_id) DO NOTHING`,
          ).bind(...part.flatMap((e) => [key.tenant_id, e.source, e.id, e.meter, e.quantity, e.subject, e.at, now])),
        ),
        ...[...hours.values()].map(({ meter, hour, quantity, events }) =>
          DB.prepare(
            `INSERT INTO usage_hourly (tenant_id, meter, hour, quantity, events) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (tenant_id, meter, hour) DO UPDATE SET
               quantity = quantity + excluded.quantity, events = events + excluded.events`,
          ).bind(key.tenant_id, meter, hour, quantity, events),
        ),
        DB.prepare(
          `INSERT INTO usage_months (tenant_id, month, events, batch) VALUES (?, ?, ?, ?)
           ON CONFLICT (tenant_id, month) DO UPDATE SET events = events + excluded.events, batch = excluded.batch`,
        ).bind(key.tenant_id, month, fresh.length, crypto.randomUUID()),
      ]);
    }

    const left = new Set(fresh.map(name));
    const results = events.map((event, index) => {
      if (event.invalid) return { id: items[index]?.id ?? null, status: "invalid", error: { field: event.invalid } };
      return { id: event.id, status: left.delete(name(event)) ? "inserted" : "duplicate" };
    });
    const invalid = results.filter(({ status }) => status === "invalid").length;
    const duplicates = results.length - invalid - fresh.length;
    return ok(c, { inserted: fresh.length, duplicates, invalid, results });
  },
);

app.get(
  "/api/v1/usage/summary",
  authenticate,
  rateLimit("read", (c) => c.get("credential").id),
  async (c) => {
    const { DB } = c.env;
    const now = Date.now();
    const month = c.req.query("month") ?? new Date(now).toISOString().slice(0, 7);
    if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(month)) fail(400, "VALIDATION", "Must be a month such as 2026-11.");
    const [year, number] = month.split("-").map(Number);
    const { id, hash } = c.get("credential");
    const [state, totals] = await DB.batch([
      DB.prepare(
        `SELECT k.scopes, k.revoked_at, k.expires_at, u.disabled_at, t.deleted_at,
           p.monthly_events AS quota, COALESCE(n.events, 0) AS used
         FROM api_keys k
         JOIN tenants t ON t.id = k.tenant_id
         JOIN plans p ON p.id = t.plan_id
         JOIN users u ON u.id = k.user_id
         JOIN memberships m ON m.user_id = k.user_id AND m.tenant_id = k.tenant_id
         LEFT JOIN usage_months n ON n.tenant_id = k.tenant_id AND n.month = ?
         WHERE k.id = ? AND k.secret_hash = ?`,
      ).bind(month, id, hash),
      DB.prepare(
        `SELECT meter, SUM(quantity) AS quantity, SUM(events) AS events FROM usage_hourly
         WHERE tenant_id = (SELECT tenant_id FROM api_keys WHERE id = ? AND secret_hash = ?) AND hour >= ? AND hour < ?
         GROUP BY meter ORDER BY meter`,
      ).bind(id, hash, Date.UTC(year, number - 1), Date.UTC(year, number)),
    ]);
    const [key] = state.results;
    const gone = [key?.revoked_at, key?.disabled_at, key?.deleted_at].some((time) => time !== null);
    if (gone || (key.expires_at !== null && key.expires_at <= now)) fail(401, "API_KEY_INVALID", "The API key is not valid.");
    if ((key.scopes & READ) === 0) fail(403, "SCOPE_MISSING", "The key lacks the scope usage:read.");
    const { quota, used } = key;
    const remaining = quota === null ? null : Math.max(quota - used, 0);
    return ok(c, { month, events: used, limit: quota, remaining, meters: totals.results });
  },
);

export default app;

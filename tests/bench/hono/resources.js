import { rateLimiter } from "hono-rate-limiter";
import { authenticate } from "./authenticate.js";
import { api, base64url, fail, ok } from "./common.js";

let limiter;

/** A minute's window in the isolate's memory, as hono-rate-limiter does it by default. */
function limit(c, next) {
  // Its store starts a timer, which Workers allow in a request only.
  limiter ??= rateLimiter({
    windowMs: 60_000,
    limit: Number(c.env.RATE_LIMIT),
    standardHeaders: "draft-7",
    keyGenerator: (c) => c.get("claims").sub,
    handler: () => fail(429, "RATE_LIMITED", "Too many requests."),
  });
  return limiter(c, next);
}

/** The session still holds, and its role may write. */
async function session(c, next) {
  const { sid, sub, ten } = c.get("claims");
  const row = await c.env.DB.prepare(
    `SELECT s.revoked_at, s.expires_at, u.disabled_at, m.role, t.deleted_at
     FROM sessions s
     JOIN users u ON u.id = s.user_id
     JOIN memberships m ON m.user_id = s.user_id AND m.tenant_id = s.tenant_id
     JOIN tenants t ON t.id = s.tenant_id
     WHERE s.id = ? AND s.user_id = ? AND s.tenant_id = ?`,
  )
    .bind(sid, sub, ten)
    .first();
  const gone = [row?.revoked_at, row?.disabled_at, row?.deleted_at].some((time) => time !== null);
  if (gone || row.expires_at <= Date.now()) fail(401, "SESSION_ENDED", "The session has ended.");
  if (row.role === "client") fail(403, "FORBIDDEN", "Your role does not allow this.");
  await next();
}

const hash = async (text) => base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
const PENDING = 0;

/** An idempotency key is claimed before the handler, and gets its answer after it; KV serves replays. */
async function idempotent(c, next) {
  const key = c.req.header("idempotency-key");
  if (!key) return next();
  const { DB, KV } = c.env;
  const { sub, ten } = c.get("claims");
  const now = Date.now();
  const id = await hash(`${ten} ${sub} ${c.req.method} ${c.req.path} ${key}`);
  const fingerprint = await hash(await c.req.text());
  const replay = (kept) => {
    if (kept.fingerprint !== fingerprint) fail(409, "IDEMPOTENCY_KEY_REUSED", "The key belongs to another request.");
    if (kept.status === PENDING) fail(409, "IDEMPOTENCY_IN_PROGRESS", "The first request still runs.", { "retry-after": "1" });
    c.header("idempotent-replayed", "true");
    c.header("location", kept.location);
    return ok(c, JSON.parse(kept.body), kept.status);
  };
  const cached = await KV.get(`idem:${id}`, "json");
  if (cached) return replay(cached);
  const claimed = await DB.prepare(
    `INSERT INTO idempotency_keys (id, tenant_id, fingerprint, status, body, created_at, expires_at) VALUES (?, ?, ?, ?, '', ?, ?)
     ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status, expires_at = excluded.expires_at
       WHERE expires_at <= excluded.created_at
     RETURNING id`,
  )
    .bind(id, ten, fingerprint, PENDING, now, now + 86_400_000)
    .first();
  if (!claimed) return replay(await DB.prepare("SELECT fingerprint, status, body, location FROM idempotency_keys WHERE id = ?").bind(id).first());
  await next();
  const { status } = c.res;
  if (status >= 400) return DB.prepare("DELETE FROM idempotency_keys WHERE id = ?").bind(id).run();
  const { data } = await c.res.clone().json();
  const kept = { fingerprint, status, body: JSON.stringify(data), location: c.res.headers.get("location") };
  await DB.prepare("UPDATE idempotency_keys SET status = ?, body = ?, location = ? WHERE id = ?")
    .bind(kept.status, kept.body, kept.location, id)
    .run();
  c.executionCtx.waitUntil(KV.put(`idem:${id}`, JSON.stringify(kept), { expirationTtl: 86_400 }));
}

const newId = (prefix) => `${prefix}_${crypto.randomUUID().replaceAll("-", "").slice(0, 26)}`;

const app = api();
app.post("/api/v1/projects", authenticate, limit, session, idempotent, async (c) => {
  const { sub, ten } = c.get("claims");
  const { name, description = null, metadata = {} } = await c.req.json().catch(() => fail(400, "INVALID_JSON", "The body is not valid JSON."));
  if (typeof name !== "string" || name.length < 1 || name.length > 200) fail(400, "VALIDATION", "name must be a text.");
  const { DB } = c.env;
  const now = Date.now();
  const id = newId("prj");
  const [made] = await DB.batch([
    DB.prepare(
      `INSERT INTO projects (tenant_id, id, created_by, created_at, updated_at, version, name, description, metadata)
       SELECT t.id, ?2, ?3, ?4, ?4, 1, ?5, ?6, ?7 FROM tenants t JOIN plans p ON p.id = t.plan_id
       WHERE t.id = ?1 AND (p.max_projects IS NULL
         OR p.max_projects > (SELECT COUNT(*) FROM projects o WHERE o.tenant_id = ?1 AND o.deleted_at IS NULL))
       RETURNING id`,
    ).bind(ten, id, sub, now, name, description, JSON.stringify(metadata)),
    DB.prepare(
      `INSERT INTO audit_log (id, tenant_id, actor, action, target, request_id, created_at, network, change)
       SELECT ?1, ?2, ?3, 'project.create', ?4, ?5, ?6, ?7, '{"after":{"version":1}}' WHERE EXISTS (SELECT 1 FROM projects WHERE id = ?4)`,
    ).bind(newId("aud"), ten, sub, id, c.get("requestId"), now, c.req.header("cf-connecting-ip") ?? null),
  ]);
  if (made.results.length === 0) fail(402, "QUOTA_EXCEEDED", "The plan has no room for more projects.");
  c.header("location", `/api/v1/projects/${id}`);
  const at = new Date(now).toISOString();
  return ok(c, { id, name, description, metadata, version: 1, createdBy: sub, createdAt: at, updatedAt: at, deletedAt: null }, 201);
});

export default app;

import { createLocalJWKSet, errors, jwtVerify } from "jose";
import { api, bearer, fail, ok, rateLimit } from "./common.js";

let keys;

/** Checks the access token; its claims are `c.get("claims")` afterwards. */
async function authenticate(c, next) {
  keys ??= createLocalJWKSet(JSON.parse(c.env.JWKS));
  const token = bearer(c);
  try {
    const options = { algorithms: ["EdDSA"], typ: "at+jwt", issuer: "edgekeep", audience: "edgekeep-api", maxTokenAge: 905 };
    const { payload } = await jwtVerify(token, keys, options);
    c.set("claims", payload);
  } catch (error) {
    const code = error instanceof errors.JWTExpired ? "TOKEN_EXPIRED" : "TOKEN_INVALID";
    fail(401, code, "The token is not valid.", { "www-authenticate": 'Bearer error="invalid_token"' });
  }
  await next();
}

const ROLES = new Set(["founder", "admin", "agent", "client"]);
const iso = (millis) => (millis === null ? null : new Date(millis).toISOString());

const app = api();
app.get(
  "/api/v1/auth/me",
  authenticate,
  rateLimit("read", (c) => c.get("claims").sub),
  async (c) => {
    const { sid, sub, ten } = c.get("claims");
    const row = await c.env.DB.prepare(
      `SELECT s.revoked_at, s.expires_at, u.disabled_at, u.id, u.email, u.email_verified_at, u.created_at,
         m.role, t.id AS tenant, t.name, t.plan_id, t.deleted_at
       FROM sessions s
       JOIN users u ON u.id = s.user_id
       JOIN memberships m ON m.user_id = s.user_id AND m.tenant_id = s.tenant_id
       JOIN tenants t ON t.id = s.tenant_id
       WHERE s.id = ? AND s.user_id = ? AND s.tenant_id = ?`,
    )
      .bind(sid, sub, ten)
      .first();
    const gone = [row?.revoked_at, row?.disabled_at, row?.deleted_at].some((time) => time !== null);
    if (gone || row.expires_at <= Date.now()) {
      fail(401, "SESSION_ENDED", "The session has ended.");
    }
    if (!ROLES.has(row.role)) fail(403, "FORBIDDEN", "Your role does not allow this.");
    return ok(c, {
      id: row.id,
      email: row.email,
      emailVerifiedAt: iso(row.email_verified_at),
      createdAt: iso(row.created_at),
      role: row.role,
      tenant: { id: row.tenant, name: row.name, plan: row.plan_id },
      mfaEnabled: false,
    });
  },
);

export default app;

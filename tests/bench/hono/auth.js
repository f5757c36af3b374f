import { importJWK, SignJWT } from "jose";
import { authenticate } from "./authenticate.js";
import { api, base64url, fail, ok, rateLimit } from "./common.js";

const CLIENT = ["own:access", "usage:read", "jobs:read", "billing:read"];
const AGENT = [...CLIENT, "usage:write", "jobs:write"];
const ADMIN = [...AGENT, "members:read", "members:write", "api_keys:read", "api_keys:write", "audit:read", "billing:write"];
const PERMISSIONS = { founder: [...ADMIN, "tenant:write", "tenant:delete"], admin: ADMIN, agent: AGENT, client: CLIENT };
const iso = (millis) => (millis === null ? null : new Date(millis).toISOString());

const app = api();
app.get(
  "/api/v1/auth/me",
  authenticate,
  rateLimit("read", (c) => c.get("claims").sub),
  async (c) => {
    const { sid, sub, ten } = c.get("claims");
    const { DB } = c.env;
    const [state, memberships] = await DB.batch([
      DB.prepare(
        `SELECT s.revoked_at, s.expires_at, u.disabled_at, u.id, u.email, u.email_verified_at, u.created_at,
           m.role, t.id AS tenant, t.name, t.plan_id, t.deleted_at,
           (SELECT COUNT(*) FROM mfa_factors f WHERE f.user_id = u.id AND f.enabled_at IS NOT NULL) AS factors
         FROM sessions s
         JOIN users u ON u.id = s.user_id
         JOIN memberships m ON m.user_id = s.user_id AND m.tenant_id = s.tenant_id
         JOIN tenants t ON t.id = s.tenant_id
         WHERE s.id = ? AND s.user_id = ? AND s.tenant_id = ?`,
      ).bind(sid, sub, ten),
      DB.prepare(
        `SELECT t.id, t.name, m.role FROM memberships m JOIN tenants t ON t.id = m.tenant_id
         WHERE m.user_id = ? AND t.deleted_at IS NULL
         ORDER BY m.created_at DESC, m.tenant_id DESC LIMIT 100`,
      ).bind(sub),
    ]);
    const [row] = state.results;
    const gone = [row?.revoked_at, row?.disabled_at, row?.deleted_at].some((time) => time !== null);
    if (gone || row.expires_at <= Date.now()) {
      fail(401, "SESSION_ENDED", "The session has ended.");
    }
    const permissions = PERMISSIONS[row.role];
    if (!permissions) fail(403, "FORBIDDEN", "Your role does not allow this.");
    return ok(c, {
      id: row.id,
      email: row.email,
      emailVerifiedAt: iso(row.email_verified_at),
      createdAt: iso(row.created_at),
      role: row.role,
      base: row.role,
      tenant: { id: row.tenant, name: row.name, plan: row.plan_id },
      permissions,
      memberships: memberships.results,
      mfaEnabled: row.factors > 0,
    });
  },
);

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit += 1) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

const HMAC = { name: "HMAC", hash: "SHA-256" };
const [VERSION, SESSION, SIGNED, SEALED] = [1, 31, 39, 55];
let secrets;

async function mac(bytes) {
  return new Uint8Array(await crypto.subtle.sign(HMAC, secrets.refresh, bytes.subarray(0, SIGNED))).subarray(0, SEALED - SIGNED);
}

/** Session and counter of a refresh token that is ours. */
async function open(text) {
  const refuse = () => fail(401, "TOKEN_INVALID", "The token is not valid.", { "www-authenticate": 'Bearer error="invalid_token"' });
  if (typeof text !== "string" || !/^er_[\w-]{79}$/.test(text)) refuse();
  const bytes = Uint8Array.fromBase64(text.slice(3), { alphabet: "base64url" });
  const view = new DataView(bytes.buffer);
  if (view.getUint32(SEALED) !== crc32(bytes.subarray(0, SEALED))) refuse();
  const expected = await mac(bytes);
  if (bytes[0] !== VERSION || !crypto.subtle.timingSafeEqual(expected, bytes.subarray(SIGNED, SEALED))) refuse();
  return { bytes, view, session: new TextDecoder().decode(bytes.subarray(1, SESSION)), counter: Number(view.getBigInt64(SESSION)) };
}

/** The token after that one. */
async function successor({ bytes, view, counter }) {
  view.setBigInt64(SESSION, BigInt(counter + 1));
  bytes.set(await mac(bytes), SIGNED);
  view.setUint32(SEALED, crc32(bytes.subarray(0, SEALED)));
  return `er_${base64url(bytes)}`;
}

app.post("/api/v1/auth/refresh", rateLimit("auth", (c) => c.req.header("cf-connecting-ip") ?? ""), async (c) => {
  const { DB, REFRESH_KEY, SIGNING_KEY } = c.env;
  if (!secrets) {
    const key = Uint8Array.fromBase64(REFRESH_KEY, { alphabet: "base64url" });
    const jwk = JSON.parse(SIGNING_KEY);
    const refresh = await crypto.subtle.importKey("raw", key, HMAC, false, ["sign"]);
    secrets = { refresh, access: await importJWK(jwk, "EdDSA"), kid: jwk.kid };
  }
  const body = await c.req.json().catch(() => fail(400, "INVALID_JSON", "The body is not valid JSON."));
  const presented = await open(body.refresh_token);
  const { session, counter } = presented;
  const now = Date.now();
  const idle = now + 30 * 86_400_000;
  const [rotated, found] = await DB.batch([
    DB.prepare(
      `UPDATE sessions SET refresh_counter = refresh_counter + 1, refreshed_at = ?3,
         expires_at = CASE WHEN ends_at < ?4 THEN ends_at ELSE ?4 END
       WHERE id = ?1 AND refresh_counter = ?2 AND revoked_at IS NULL AND expires_at > ?3
         AND COALESCE(ends_at, expires_at) > ?3
       RETURNING id`,
    ).bind(session, counter, now, idle),
    DB.prepare(
      `SELECT s.refresh_counter, s.refreshed_at, s.expires_at, s.ends_at, s.revoked_at, s.user_id, s.tenant_id, s.amr,
         m.role, u.disabled_at, t.deleted_at
       FROM sessions s
       JOIN users u ON u.id = s.user_id
       JOIN tenants t ON t.id = s.tenant_id
       JOIN memberships m ON m.user_id = s.user_id AND m.tenant_id = s.tenant_id
       WHERE s.id = ?`,
    ).bind(session),
  ]);
  const [row] = found.results;
  const gone = [row?.revoked_at, row?.disabled_at, row?.deleted_at].some((time) => time !== null);
  if (gone || Math.min(row.expires_at, row.ends_at ?? Infinity) <= now) fail(401, "SESSION_ENDED", "The session has ended.");
  const inGrace = row.refresh_counter === counter + 1 && now - row.refreshed_at <= 10_000;
  if (rotated.results.length === 0 && !inGrace) {
    await DB.prepare("UPDATE sessions SET revoked_at = ?, revoked_reason = ? WHERE id = ?").bind(now, "refresh_reuse_detected", session).run();
    fail(401, "SESSION_ENDED", "The session has ended.");
  }
  const time = Math.floor(now / 1000);
  const amr = row.amr.split(" ");
  const access_token = await new SignJWT({ ten: row.tenant_id, sid: session, role: row.role, amr, aal: amr.length > 1 ? 2 : 1 })
    .setProtectedHeader({ alg: "EdDSA", kid: secrets.kid, typ: "at+jwt" })
    .setIssuer("edgekeep")
    .setAudience("edgekeep-api")
    .setSubject(row.user_id)
    .setJti(`jwt_${crypto.randomUUID()}`)
    .setIssuedAt(time)
    .setNotBefore(time)
    .setExpirationTime(time + 900)
    .sign(secrets.access);
  const refresh_token = await successor(presented);
  return ok(c, { access_token, refresh_token, token_type: "Bearer", expires_in: 900, session_id: session });
});

export default app;

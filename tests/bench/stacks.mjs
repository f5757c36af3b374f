// Starts both sides: Workers in workerd, each with a socket of its own, with local D1 and KV of their own.

import { createHash, createPrivateKey, createPublicKey, hkdfSync, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { unstable_splitSqlQuery as splitSql } from "wrangler";

const secret = () => randomBytes(32).toString("base64url");
export const SECRETS = { jwt: secret(), refresh: secret(), service: secret(), audit: secret(), stripe: `whsec_${secret()}` };

// The key of access tokens, derived as docs/security.md says.
const seed = Buffer.from(hkdfSync("sha256", SECRETS.jwt, "edgekeep", "access-jwt-ed25519", 32));
const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
export const signingKey = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
const { x } = createPublicKey(signingKey).export({ format: "jwk" });

/** The key of refresh tokens, likewise. */
export const refreshKey = Buffer.from(hkdfSync("sha256", SECRETS.refresh, "edgekeep", "refresh-token", 32));
const thumbprint = JSON.stringify({ crv: "Ed25519", kty: "OKP", x });
export const keyId = createHash("sha256").update(thumbprint).digest("base64url");

const COUNTED = {
  GATEWAY_URL: "https://api.bench.invalid",
  FRONTEND_URL: "https://app.bench.invalid",
  BILLING_ENABLED: "true",
  LOG_LEVEL: "warn",
  JWT_SECRET: SECRETS.jwt,
  JWT_REFRESH_SECRET: SECRETS.refresh,
  SERVICE_JWT_SECRET: SECRETS.service,
  AUDIT_SECRET: SECRETS.audit,
  STRIPE_WEBHOOK_SECRET: SECRETS.stripe,
  CORS_ORIGINS: "https://app.bench.invalid",
};
const OURS = {
  ...COUNTED,
  ENVIRONMENT: "production",
  EMAIL_PROVIDER: "resend",
  EMAIL_FROM: "noreply@bench.invalid",
  RESEND_API_KEY: `re_${secret()}`,
  RATE_LIMITS: ["global", "write", "ingest", "auth", "ai", "payments"].map((name) => `${name}=10000000`).join(","),
};
const HONO = {
  CORS_ORIGINS: "https://app.bench.invalid",
  RATE_LIMIT: "4000000000",
  STRIPE_WEBHOOK_SECRET: SECRETS.stripe,
  JWKS: JSON.stringify({ keys: [{ kty: "OKP", crv: "Ed25519", x, kid: keyId, alg: "EdDSA", use: "sig" }] }),
  SIGNING_KEY: JSON.stringify({ ...signingKey.export({ format: "jwk" }), kid: keyId }),
  REFRESH_KEY: refreshKey.toString("base64url"),
};
const TEST = { ...COUNTED, ENVIRONMENT: "test", EMAIL_PROVIDER: "development" };

const ours = (name) => [
  { type: "ESModule", path: "index.js", contents: readFileSync(`functions/${name}/build/index.js`, "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: readFileSync(`functions/${name}/build/index_bg.wasm`) },
];
// Hono's usage answers for both of ours.
const played = (name) => (name === "meters" ? "usage" : name);
const hono = (name) => [
  { type: "ESModule", path: "index.js", contents: readFileSync(`target/bench/hono/${played(name)}.js`, "utf8") },
];

export const SIDES = {
  ours: { modules: ours, bindings: OURS },
  hono: { modules: hono, bindings: HONO },
  // Ours outside production, where answers carry Server-Timing and no mail is sent, with the usual limits.
  counted: { modules: ours, bindings: TEST },
  // The same with limits out of reach, for sign-ins at once.
  logins: { modules: ours, bindings: { ...TEST, RATE_LIMITS: OURS.RATE_LIMITS } },
};

// The disk's moods are noise: where there is room enough in memory, the databases lie there.
const MEMORY = "/dev/shm";
const room = existsSync(MEMORY) && statfsSync(MEMORY, { bigint: true });
if (room && room.bavail * room.bsize > 4n << 30n) process.env.TMPDIR = MEMORY;

/** The processes this one has started; none where there is no /proc. */
function children() {
  try {
    return readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ");
  } catch {
    return [];
  }
}

/** Starts `names` of one side, migrated: `port(name)`, `db`, `pid` of workerd, `stop()`. */
export async function start(side, names) {
  const { modules, bindings } = SIDES[side];
  const workers = names.map((name) => ({
    name,
    modules: modules(name),
    modulesRoot: "/",
    compatibilityDate: "2026-11-01",
    bindings,
    d1Databases: { DB: "bench" },
    kvNamespaces: { KV: "bench" },
    queueProducers: name === "jobs" ? { JOBS_QUEUE: "bench" } : undefined,
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  }));
  const before = children();
  const miniflare = new Miniflare(convertV4MiniflareOptions({ workers, handleStructuredLogs() {} }));
  await miniflare.ready;
  const pid = children().find((child) => !before.includes(child));
  const ports = {};
  for (const name of names) ports[name] = Number((await miniflare.unsafeGetDirectURL(name)).port);
  const db = await miniflare.getD1Database("DB", names[0]);
  const files = readdirSync("migrations/sqlite").filter((file) => file.endsWith(".sql")).sort();
  for (const file of [...files.map((file) => `sqlite/${file}`), "seed.sql"]) {
    const statements = splitSql(readFileSync(`migrations/${file}`, "utf8"));
    await db.batch(statements.map((statement) => db.prepare(statement)));
  }
  return { side, port: (name) => ports[name], db, pid, stop: () => miniflare.dispose() };
}

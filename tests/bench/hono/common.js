// What every Hono Worker here shares: the contract of the API, as middleware.

import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const random = (length) => hex(crypto.getRandomValues(new Uint8Array(length)));
const TRACEPARENT = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** An error with its code; `fail` throws it and `onError` answers it. */
export function fail(status, code, message, headers) {
  throw new HTTPException(status, { message, cause: { code, headers } });
}

/** `{"success":true,"data":…,"metadata":{…}}` */
export function ok(c, data, status = 200) {
  const metadata = { requestId: c.get("requestId"), timestamp: new Date().toISOString() };
  return c.json({ success: true, data, metadata }, status);
}

/** An application whose answers all keep the contract. */
export function api() {
  const app = new Hono();
  app.use(requestId({ generator: () => `req_${random(8)}`, limitLength: 64 }));
  app.use(async (c, next) => {
    const trace = c.req.header("traceparent")?.match(TRACEPARENT)?.[1] ?? random(16);
    c.set("traceId", trace);
    await next();
    c.header("traceparent", `00-${trace}-${random(8)}-01`);
    c.header("x-api-version", "1");
    c.header("cache-control", "no-store");
    c.header("content-language", "en");
  });
  app.use(
    secureHeaders({
      strictTransportSecurity: "max-age=63072000; includeSubDomains",
      contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"] },
      xFrameOptions: "DENY",
      permissionsPolicy: { camera: [], geolocation: [], microphone: [], payment: [] },
      crossOriginResourcePolicy: "same-site",
      crossOriginOpenerPolicy: false,
      originAgentCluster: false,
      xDnsPrefetchControl: false,
      xDownloadOptions: false,
      xPermittedCrossDomainPolicies: false,
      xXssProtection: false,
    }),
  );
  app.use(cors({ origin: (origin, c) => (c.env.CORS_ORIGINS.split(",").includes(origin) ? origin : null) }));
  app.use(bodyLimit({ maxSize: 1_048_576, onError: () => fail(413, "BODY_TOO_LARGE", "The body is too large.") }));
  app.notFound(() => fail(404, "ROUTE_NOT_FOUND", "There is no such route."));
  app.onError((error, c) => {
    const known = error instanceof HTTPException;
    if (!known) console.error(error);
    const { code, headers } = known ? error.cause : { code: "INTERNAL" };
    const [status, message] = known ? [error.status, error.message] : [500, "Something went wrong."];
    const metadata = { requestId: c.get("requestId"), traceId: c.get("traceId"), timestamp: new Date().toISOString() };
    const body = { type: "about:blank", title: message, status, detail: message, error: { code, message }, metadata };
    return c.json(body, status, { "content-type": "application/problem+json", ...headers });
  });
  return app;
}

const WINDOW = 60_000;
const counters = new Map();

/** A sliding window of a minute in the isolate's memory; `caller` names who is counted. */
export const rateLimit = (name, caller) => async (c, next) => {
  const now = Date.now();
  const window = Math.floor(now / WINDOW);
  const left = WINDOW - (now % WINDOW);
  const limit = Number(c.env.RATE_LIMIT);
  const key = `${name}:${caller(c)}`;
  if (counters.size > 10_000) counters.clear();
  let counter = counters.get(key);
  if (counter?.window !== window) {
    const previous = counter?.window === window - 1 ? counter.current : 0;
    counters.set(key, (counter = { window, previous, current: 0 }));
  }
  const used = Math.floor((counter.previous * left) / WINDOW) + counter.current;
  const reset = Math.ceil(left / 1000);
  const remaining = Math.max(limit - used - 1, 0);
  c.header("x-ratelimit-limit", String(limit));
  c.header("x-ratelimit-remaining", String(remaining));
  c.header("x-ratelimit-reset", String(Math.floor(now / 1000) + reset));
  c.header("ratelimit-policy", `"${name}";q=${limit};w=60`);
  c.header("ratelimit", `"${name}";r=${remaining};t=${reset}`);
  if (used >= limit) fail(429, "RATE_LIMITED", "Too many requests.", { "retry-after": String(reset) });
  counter.current += 1;
  await next();
};

/** The bearer token, or 401. */
export function bearer(c) {
  const [scheme, token] = (c.req.header("authorization") ?? "").split(" ");
  if (scheme.toLowerCase() === "bearer" && token) return token;
  fail(401, "AUTH_REQUIRED", "Sign in first.", { "www-authenticate": "Bearer" });
}

export const base64url = (buffer) => new Uint8Array(buffer).toBase64({ alphabet: "base64url", omitPadding: true });

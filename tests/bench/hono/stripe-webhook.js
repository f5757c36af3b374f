import { api, fail, ok } from "./common.js";

const STATES = new Set([
  "incomplete",
  "incomplete_expired",
  "trialing",
  "active",
  "past_due",
  "canceled",
  "unpaid",
  "paused",
]);

let key;

/** Whether `Stripe-Signature` is a fresh signature over exactly this body. */
async function isValid(env, header, body) {
  const parts = (header ?? "").split(",").map((part) => part.split("="));
  const time = parts.find(([name]) => name === "t")?.[1] ?? "";
  if (!/^\d{1,15}$/.test(time) || Math.abs(Date.now() / 1000 - Number(time)) > 300) return false;
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  key ??= await crypto.subtle.importKey("raw", encoder.encode(env.STRIPE_WEBHOOK_SECRET), algorithm, false, ["verify"]);
  const signed = encoder.encode(`${time}.${body}`);
  for (const [name, value] of parts) {
    if (name !== "v1" || !/^[0-9a-f]{64}$/.test(value)) continue;
    if (await crypto.subtle.verify("HMAC", key, Uint8Array.fromHex(value), signed)) return true;
  }
  return false;
}

const millis = (seconds) => (seconds == null ? null : seconds * 1000);

const app = api();
app.post("/webhooks/stripe", async (c) => {
  const { DB } = c.env;
  const body = await c.req.text();
  if (!(await isValid(c.env, c.req.header("stripe-signature"), body))) {
    fail(400, "SIGNATURE_INVALID", "The signature is not valid.");
  }
  const event = JSON.parse(body);
  const object = event.data.object;
  const about = event.type.startsWith("customer.subscription.");
  if (about && !STATES.has(object.status)) fail(400, "VALIDATION", "Must be a known state.");
  const item = about ? object.items.data[0] : undefined;
  const now = Date.now();

  // First round trip: claim the event, and find whose it is.
  const [claimed, inbox, target] = await DB.batch([
    DB.prepare(
      `INSERT INTO stripe_inbox (id, type, object_id, payload, received_at, claimed_until, attempts)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)
       ON CONFLICT (id) DO UPDATE SET claimed_until = excluded.claimed_until, attempts = attempts + 1
       WHERE done_at IS NULL AND claimed_until <= excluded.received_at
       RETURNING attempts`,
    ).bind(event.id, event.type, object.id ?? null, body, now, now + 60_000),
    DB.prepare("SELECT done_at FROM stripe_inbox WHERE id = ?").bind(event.id),
    DB.prepare(
      `SELECT t.id AS tenant, p.id AS plan FROM tenants t LEFT JOIN plans p ON p.stripe_lookup_key = ?3
       WHERE t.id = ?1 OR t.stripe_customer_id = ?2
       ORDER BY CASE WHEN t.id = ?1 THEN 0 ELSE 1 END LIMIT 1`,
    ).bind(object.metadata?.tenant_id ?? null, object.customer ?? null, item?.price.lookup_key ?? null),
  ]);
  if (claimed.results.length === 0) {
    if (inbox.results[0]?.done_at != null) return ok(c, { received: true, duplicate: true });
    fail(503, "UNAVAILABLE", "Another delivery of this event is being handled.", { "retry-after": "5" });
  }
  const done = (outcome) =>
    DB.prepare("UPDATE stripe_inbox SET done_at = ?, outcome = ? WHERE id = ? AND done_at IS NULL").bind(now, outcome, event.id);
  const [found] = target.results;
  if (!about || !event.livemode || !found) {
    await done("ignored").run();
    return ok(c, { received: true, duplicate: false });
  }
  if (!found.plan) {
    await DB.prepare("UPDATE stripe_inbox SET claimed_until = 0 WHERE id = ? AND done_at IS NULL").bind(event.id).run();
    fail(503, "UNAVAILABLE", "No plan has the price's lookup key.", { "retry-after": "60" });
  }

  // Second round trip: apply it and mark it done.
  const rank = { "customer.subscription.deleted": 9, "customer.subscription.created": 1 }[event.type] ?? 5;
  await DB.batch([
    DB.prepare(
      `INSERT INTO subscriptions (tenant_id, id, plan_id, status, current_period_end, cancel_at, version_at, created_at, updated_at)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
       ON CONFLICT (id) DO UPDATE SET plan_id = excluded.plan_id, status = excluded.status,
         current_period_end = excluded.current_period_end, cancel_at = excluded.cancel_at,
         version_at = excluded.version_at, updated_at = excluded.updated_at
       WHERE version_at <= excluded.version_at AND tenant_id = excluded.tenant_id`,
    ).bind(
      found.tenant,
      object.id,
      found.plan,
      object.status,
      millis(item?.current_period_end ?? object.current_period_end),
      millis(object.cancel_at),
      event.created * 10_000 + rank,
      now,
    ),
    DB.prepare(
      `UPDATE tenants SET
         plan_id = COALESCE((SELECT s.plan_id FROM subscriptions s
           WHERE s.tenant_id = tenants.id AND s.status IN ('trialing', 'active', 'past_due')
           ORDER BY s.version_at DESC, s.id LIMIT 1), 'FREE'),
         stripe_customer_id = COALESCE(stripe_customer_id, ?2), epoch = epoch + 1, updated_at = ?3
       WHERE id = ?1`,
    ).bind(found.tenant, object.customer ?? null, now),
    done("applied"),
  ]);
  return ok(c, { received: true, duplicate: false });
});

export default app;

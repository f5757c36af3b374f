// The work of scripts/https: https.mjs URL STACK RESULTS
//
// The certificate is checked as any client would; the server must have the variables that are in the
// environment. Results are lines as the acceptance suite writes them.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";

const [base, stack, results] = process.argv.slice(2);
const ask = (path, options = {}) => fetch(base + path, { redirect: "manual", signal: AbortSignal.timeout(10_000), ...options });

async function healthIsAnswered() {
  assert.match(base, /^https:/);
  const answer = await ask("/healthz");
  assert.equal(answer.status, 200, await answer.text());
  const [, seconds] = /^max-age=(\d+)/.exec(answer.headers.get("strict-transport-security") ?? "") ?? [];
  assert.ok(Number(seconds) >= 31_536_000, `HSTS for ${seconds} s`);
  // The port speaks nothing else.
  const plain = await fetch(base.replace("https:", "http:") + "/healthz").catch(() => undefined);
  assert.ok(!plain?.ok, "it answers without TLS as well");
}

async function stripeDelivers() {
  const seconds = Math.floor(Date.now() / 1000);
  const body = JSON.stringify({
    id: `evt_https_${Date.now()}`,
    object: "event",
    api_version: "2026-09-30.endive",
    created: seconds,
    livemode: false,
    type: "customer.created",
    data: { object: { id: "cus_https", object: "customer" } },
  });
  /** As Stripe signs: HMAC-SHA256 of time and body. */
  const deliver = async (secret, sent = body) => {
    const mac = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
    const headers = { "content-type": "application/json; charset=utf-8", "stripe-signature": `t=${seconds},v1=${mac}` };
    const answer = await ask("/webhooks/stripe", { method: "POST", headers, body: sent });
    return { status: answer.status, ...(await answer.json()) };
  };
  const secret = process.env.STRIPE_WEBHOOK_SECRET.split(",")[0];
  for (const refused of [await deliver("whsec_anothers"), await deliver(secret, body.replace("cus_https", "cus_other"))]) {
    assert.equal(refused.status, 400, JSON.stringify(refused));
    assert.equal(refused.error.code, "SIGNATURE_INVALID");
  }
  const taken = await deliver(secret);
  assert.equal(taken.status, 200, JSON.stringify(taken));
}

const told = [];
const lines = [];
for (const [name, run] of Object.entries({ healthIsAnswered, stripeDelivers })) {
  const started = performance.now();
  const test = `https::${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
  let outcome = "passed";
  try {
    await run();
    told.push(`${name} ok`);
  } catch (error) {
    outcome = "failed";
    told.push(`${name} FAILED`);
    console.error(`${test} (${stack}):`, error);
    process.exitCode = 1;
  }
  const ms = Math.round(performance.now() - started);
  lines.push(JSON.stringify({ stack, test, group: "https", rows: ["AE-08"], outcome, ms }));
}
writeFileSync(results, `${lines.join("\n")}\n`);
console.log(`https: ${told.join(", ")}`);

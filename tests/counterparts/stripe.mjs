// Stripe's own library signs what our webhook takes, and takes what we sign.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import Stripe from "stripe";

const { webhooks } = new Stripe("sk_test_unused");
// Of the API version that the webhook speaks.
const source = readFileSync(new URL("../../shared/core/src/stripe/event.rs", import.meta.url), "utf8");
const now = () => Math.floor(Date.now() / 1000);

/** An event of a type that is only acknowledged; `more` goes into its object. */
const event = (more = {}) => ({
  id: `evt_${randomUUID()}`,
  object: "event",
  api_version: Stripe.API_VERSION,
  created: now(),
  livemode: false,
  type: "payout.paid",
  data: { object: { id: "po_1", object: "payout", ...more } },
});

/** The status and the answer to these bytes with this header. */
async function deliver(api, payload, header) {
  const headers = { "content-type": "application/json", "stripe-signature": header };
  const response = await fetch(`${api.base}/webhooks/stripe`, { method: "POST", headers, body: payload });
  const answer = await response.json();
  return [response.status, answer.error?.code ?? answer.data.duplicate];
}

const TAKEN = [200, false];
const REFUSED = [400, "SIGNATURE_INVALID"];

export async function stripe(api) {
  assert.ok(source.includes(`API_VERSION: &str = "${Stripe.API_VERSION}"`), `their library has ${Stripe.API_VERSION}`);
  const [secret] = process.env.STRIPE_WEBHOOK_SECRET.split(",");
  const sign = (payload, changes) => webhooks.generateTestHeaderString({ payload, secret, ...changes });
  const told = async (payload, header) => deliver(api, payload, header);

  const plain = JSON.stringify(event());
  const header = sign(plain);
  assert.deepEqual(await told(plain, header), TAKEN);
  assert.deepEqual(await told(plain, header), [200, true]);
  assert.deepEqual(await told(plain.replace("po_1", "po_2"), header), REFUSED);

  // While a secret is rolled Stripe signs with both; one that we have is enough, wherever it stands.
  const other = sign(plain, { secret: "whsec_of_somebody_else_0123456789" });
  const [time, own] = header.split(",");
  const foreign = other.split(",")[1];
  assert.deepEqual(await told(plain, other), REFUSED);
  for (const both of [`${time},${own},${foreign}`, `${time},${foreign},${own}`]) {
    assert.deepEqual(await told(plain, both), [200, true], both);
  }
  assert.deepEqual(await told(plain, header.replace("v1=", "v0=")), REFUSED);

  // Five minutes, either way; a little less and more, because clocks go on.
  for (const [seconds, expected] of [
    [-297, TAKEN],
    [297, TAKEN],
    [-303, REFUSED],
    [304, REFUSED],
  ]) {
    const payload = JSON.stringify(event());
    assert.deepEqual(await told(payload, sign(payload, { timestamp: now() + seconds })), expected, `${seconds} s`);
  }

  // Bytes are signed, not what they mean.
  const odd = event({ description: "Ünïcödé 🦀 \u2028 \u0000 \"", "ключ": "значение" });
  for (const payload of [
    JSON.stringify(odd),
    JSON.stringify({ ...odd, id: `${odd.id}2` }, null, 2).replaceAll("\n", "\r\n"),
    `${JSON.stringify({ ...odd, id: `${odd.id}3` })}\n`,
    `\r\n\t ${JSON.stringify({ ...odd, id: `${odd.id}4` })}`,
  ]) {
    assert.deepEqual(await told(payload, sign(payload)), TAKEN, payload);
    for (const changed of [`${payload}\n`, payload.trimEnd().slice(0, -1), payload.replace("ö", "o")]) {
      if (changed !== payload) assert.deepEqual(await told(changed, sign(payload)), REFUSED, changed);
    }
  }
  // A raw NUL is signed like any byte, and no JSON.
  assert.deepEqual(await told('{"id":"\0"}', sign('{"id":"\0"}')), [400, "INVALID_JSON"]);

  // What our code signs (a unit test of the core holds it to the same file), their library takes.
  const vectors = JSON.parse(readFileSync(new URL("stripe-vectors.json", import.meta.url)));
  for (const { secret, timestamp, payload, header } of vectors) {
    assert.equal(sign(payload, { secret, timestamp }), header);
    const at = new Date(timestamp * 1000);
    assert.ok(webhooks.signature.verifyHeader(payload, header, secret, 300, undefined, at.getTime()));
    assert.throws(() => webhooks.signature.verifyHeader(`${payload} `, header, secret, 300, undefined, at.getTime()));
  }
  const [first] = vectors;
  const read = webhooks.constructEvent(first.payload, first.header, first.secret, 300, undefined, first.timestamp * 1000);
  assert.equal(read.id, JSON.parse(first.payload).id);
}

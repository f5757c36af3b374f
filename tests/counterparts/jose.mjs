// Panva's jose verifies our access tokens from the published keys alone.

import assert from "node:assert/strict";
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from "jose";

export async function jose(api) {
  const tokens = await api.login(await api.account());
  const me = await api.me(tokens.access_token);
  const keys = createRemoteJWKSet(new URL(`${api.base}/.well-known/jwks.json`));
  const expected = { issuer: "edgekeep", audience: "edgekeep-api", typ: "at+jwt", algorithms: ["EdDSA"] };
  const verify = (token, changes) => jwtVerify(token, keys, { ...expected, ...changes });

  const { payload, protectedHeader } = await verify(tokens.access_token);
  assert.deepEqual(Object.keys(protectedHeader).sort(), ["alg", "kid", "typ"]);
  assert.equal(payload.sub, me.id);
  assert.equal(payload.ten, me.tenant.id);
  assert.equal(payload.sid, tokens.session_id);
  assert.equal(payload.exp - payload.iat, 900);
  assert.ok(payload.jti);
  assert.equal(decodeProtectedHeader(tokens.access_token).alg, "EdDSA");

  // It verifies rather than reads.
  const [head, body, signature] = tokens.access_token.split(".");
  const forged = Buffer.from(JSON.stringify({ ...payload, sub: "usr_another" })).toString("base64url");
  await assert.rejects(verify(`${head}.${forged}.${signature}`), errors.JWSSignatureVerificationFailed);
  await assert.rejects(verify(`${head}.${body}.${"A".repeat(86)}`), errors.JWSSignatureVerificationFailed);
  await assert.rejects(verify(tokens.access_token, { audience: "another-api" }), errors.JWTClaimValidationFailed);
  await assert.rejects(verify(tokens.access_token, { issuer: "another" }), errors.JWTClaimValidationFailed);
  const later = new Date((payload.exp + 1) * 1000);
  await assert.rejects(verify(tokens.access_token, { currentDate: later }), errors.JWTExpired);
}

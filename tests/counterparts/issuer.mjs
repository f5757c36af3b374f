// jose as another issuer: publishes keys of three kinds and signs tokens that we exchange for a session.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

const TAKEN = ["RS256", "ES256", "EdDSA"];
const REFUSED = ["PS256", "RS512", "ES384"];

export async function issuer(api) {
  const keys = new Map();
  for (const alg of [...TAKEN, ...REFUSED]) keys.set(alg, await generateKeyPair(alg, { extractable: true }));
  const published = await Promise.all(
    [...keys].map(async ([alg, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid: alg, alg, use: "sig" })),
  );
  const server = createServer((request, response) => {
    const found = request.url === "/jose/jwks";
    response.writeHead(found ? 200 : 404, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify(found ? { keys: published } : {}));
  });
  const port = Number(new URL(process.env.OAUTH_HOST).port);
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  try {
    for (const alg of TAKEN) await accepted(api, alg, keys.get(alg).privateKey);
    for (const alg of REFUSED) await refused(api, alg, keys.get(alg).privateKey);
    // The key says what it is for: another's key id does not help.
    await refused(api, "ES256", keys.get("ES256").privateKey, "RS256");
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function exchange(api, alg, key, kid = alg) {
  const email = `counterpart-${randomUUID()}@example.com`;
  const token = await new SignJWT({ email, email_verified: true })
    .setProtectedHeader({ alg, kid, typ: "at+jwt" })
    .setIssuer("https://jose.example.com")
    .setAudience(["edgekeep", "another"])
    .setSubject(randomUUID())
    .setIssuedAt()
    .setExpirationTime("5m")
    .sign(key);
  const body = {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: token,
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
  };
  const response = await api.send("POST", "/api/v1/auth/token/exchange", { body });
  return { email, status: response.status, answer: await response.json() };
}

async function accepted(api, alg, key) {
  const { email, status, answer } = await exchange(api, alg, key);
  assert.equal(status, 200, `${alg}: ${JSON.stringify(answer)}`);
  assert.equal((await api.me(answer.data.access_token)).email, email);
}

async function refused(api, alg, key, kid) {
  const { status, answer } = await exchange(api, alg, key, kid);
  assert.equal(status, 401, `${alg}: ${JSON.stringify(answer)}`);
}

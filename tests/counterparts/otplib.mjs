// otplib, as an authenticator app: enrols from our otpauth: URI and signs in.

import assert from "node:assert/strict";
import { parse } from "@otplib/uri";
import { generate, verify } from "otplib";

export async function otplib(api) {
  const email = await api.account();
  const { access_token: bearer } = await api.login(email);
  const started = await api.call("POST", "/api/v1/auth/mfa/start", { bearer, body: {} });
  const { type, label, params } = parse(started.otpauthUri);
  assert.equal(type, "totp");
  assert.ok(label.endsWith(email), label);
  assert.equal(params.secret, started.secret);
  const { secret, algorithm = "sha1", digits = 6, period = 30 } = params;
  const app = { secret, algorithm, digits, period };
  const code = (epoch) => generate({ ...app, epoch });
  const now = () => Math.floor(Date.now() / 1000);

  const first = await code(now());
  assert.ok((await verify({ ...app, token: first })).valid);
  await api.call("POST", "/api/v1/auth/mfa/confirm", { bearer, body: { code: first } });
  // The step that confirmed is used up; one step ahead is accepted.
  const signIn = async (token, status) => {
    const { mfa_token } = await api.login(email);
    return api.call("POST", "/api/v1/auth/mfa/verify", { status, body: { mfa_token, code: token } });
  };
  const response = await api.send("POST", "/api/v1/auth/mfa/verify", {
    body: { mfa_token: (await api.login(email)).mfa_token, code: first },
  });
  assert.equal(response.status, 401, "a code was taken twice");
  const tokens = await signIn(await code(now() + period), 200);
  assert.equal((await api.me(tokens.access_token)).email, email);
}

// PyJWT does the same.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export async function pyjwt(api, python) {
  const tokens = await api.login(await api.account());
  const me = await api.me(tokens.access_token);
  const script = new URL("verify.py", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(python, [script, `${api.base}/.well-known/jwks.json`, tokens.access_token]);
  assert.equal(JSON.parse(stdout).sub, me.id);
}

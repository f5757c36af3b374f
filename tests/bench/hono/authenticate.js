import { createLocalJWKSet, errors, jwtVerify } from "jose";
import { bearer, fail } from "./common.js";

let keys;

/** Checks the access token; its claims are `c.get("claims")` afterwards. */
export async function authenticate(c, next) {
  keys ??= createLocalJWKSet(JSON.parse(c.env.JWKS));
  const token = bearer(c);
  try {
    const options = { algorithms: ["EdDSA"], typ: "at+jwt", issuer: "edgekeep", audience: "edgekeep-api", maxTokenAge: 905 };
    const { payload } = await jwtVerify(token, keys, options);
    c.set("claims", payload);
  } catch (error) {
    const code = error instanceof errors.JWTExpired ? "TOKEN_EXPIRED" : "TOKEN_INVALID";
    fail(401, code, "The token is not valid.", { "www-authenticate": 'Bearer error="invalid_token"' });
  }
  await next();
}

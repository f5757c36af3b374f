"""Verifies an access token from the published keys alone: verify.py JWKS_URL TOKEN"""

import json
import sys

import jwt

url, token = sys.argv[1:]
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token).key


def verify(text, audience="edgekeep-api", issuer="edgekeep"):
    required = {"require": ["exp", "iat", "nbf", "iss", "aud", "sub"]}
    return jwt.decode(text, key, algorithms=["EdDSA"], audience=audience, issuer=issuer, options=required)


def refused(error, *arguments):
    try:
        verify(*arguments)
    except error:
        return
    raise SystemExit(f"PyJWT took what it must refuse: {error.__name__}")


assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
claims = verify(token)
head, body, signature = token.split(".")
refused(jwt.InvalidSignatureError, f"{head}.{body}.{'A' * 86}")
refused(jwt.InvalidAudienceError, token, "another-api")
refused(jwt.InvalidIssuerError, token, "edgekeep-api", "another")
print(json.dumps(claims))

use super::*;

/// RFC 7515, appendix A.2: RS256.
const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RSA_KEY: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
/// RFC 7515, appendix A.3: ES256.
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const EC_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
/// RFC 7515, appendix A.1: HS256, whose key is the secret in base64url.
const HS256: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HS_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

fn jwk(text: &str) -> Jwk {
    serde_json::from_str(text).unwrap()
}

fn with(text: &str, name: &str, value: &str) -> Jwk {
    let mut key: Json = serde_json::from_str(text).unwrap();
    key[name] = value.into();
    serde_json::from_value(key).unwrap()
}

fn ed25519(header: &str) -> (String, Jwk) {
    use crate::crypto::base64url;
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let message = format!(
        "{}.{}",
        base64url(header.as_bytes()),
        base64url(b"{\"iss\":\"joe\"}")
    );
    let signature = key.sign(message.as_bytes()).to_bytes();
    let x = base64url(key.verifying_key().as_bytes());
    let public = jwk(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#));
    (format!("{message}.{}", base64url(&signature)), public)
}

/// Rows: A-22
#[test]
fn the_examples_of_the_standards_verify() {
    for (text, key) in [(RS256, RSA_KEY), (ES256, EC_KEY)] {
        let token = Token::parse(text).unwrap();
        assert_eq!(token.claims["iss"], "joe");
        assert!(token.is_signed_by(&jwk(key)), "{text}");
    }
    let (text, key) = ed25519(r#"{"alg":"EdDSA"}"#);
    assert!(Token::parse(&text).unwrap().is_signed_by(&key));
    // The example's secret is bytes, not text: the MAC alone is compared here.
    let token = Token::parse(HS256).unwrap();
    let secret = from_base64url(HS_KEY).unwrap();
    let mac = hmac_sha256(&secret, &[token.message.as_bytes()]);
    assert_eq!(mac.as_slice(), token.signature);
    assert!(!token.is_made_with(HS_KEY));
}

/// Rows: A-22
#[test]
fn no_key_verifies_what_another_algorithm_made() {
    let (eddsa, ed_key) = ed25519(r#"{"alg":"EdDSA"}"#);
    let keys = [jwk(RSA_KEY), jwk(EC_KEY), ed_key.clone()];
    for (at, text) in [RS256, ES256, eddsa.as_str()].into_iter().enumerate() {
        for (other, key) in keys.iter().enumerate() {
            let verified = Token::parse(text).unwrap().is_signed_by(key);
            assert_eq!(verified, at == other, "{at} by {other}");
        }
    }
    for alg in ["none", "HS256", "RS256", "eddsa", ""] {
        let (text, _) = ed25519(&format!(r#"{{"alg":"{alg}"}}"#));
        assert!(!Token::parse(&text).unwrap().is_signed_by(&ed_key), "{alg}");
    }
    // A public key is no secret.
    let (text, _) = ed25519(r#"{"alg":"HS256"}"#);
    assert!(!Token::parse(&text).unwrap().is_made_with(EC_KEY));
    for unusable in [
        with(RSA_KEY, "use", "enc"),
        with(RSA_KEY, "alg", "PS256"),
        with(RSA_KEY, "alg", "RSA-OAEP"),
        with(RSA_KEY, "kty", "oct"),
        with(RSA_KEY, "n", "AQAB"),
        with(RSA_KEY, "e", "AQ"),
        with(RSA_KEY, "e", "AAAB"),
        with(RSA_KEY, "e", ""),
    ] {
        assert!(!Token::parse(RS256).unwrap().is_signed_by(&unusable));
    }
    for unusable in [
        with(EC_KEY, "crv", "P-384"),
        with(EC_KEY, "x", "AQAB"),
        with(EC_KEY, "y", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
    ] {
        assert!(!Token::parse(ES256).unwrap().is_signed_by(&unusable));
    }
}

/// Rows: A-22
#[test]
fn changed_tokens_and_odd_forms_are_refused() {
    for (text, key) in [(RS256, RSA_KEY), (ES256, EC_KEY)] {
        let key = jwk(key);
        let at = text.rfind('.').unwrap() + 5;
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(!Token::parse(&changed).unwrap().is_signed_by(&key));
        let short = Token::parse(&text[..text.len() - 4]);
        assert!(!short.is_some_and(|token| token.is_signed_by(&key)));
    }
    // The zero signature that some libraries once took (CVE-2022-21449).
    let (message, _) = ES256.rsplit_once('.').unwrap();
    let zero = format!("{message}.{}", "A".repeat(86));
    assert!(!Token::parse(&zero).unwrap().is_signed_by(&jwk(EC_KEY)));
    for header in [
        r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#,
        r#"{"alg":"EdDSA","typ":"id_token+jwt"}"#,
        r#"{"alg":"EdDSA","typ":"dpop+jwt"}"#,
        r#"{"alg":"EdDSA","alg":"none"}"#,
        r#"{"typ":"JWT"}"#,
        "[]",
    ] {
        let (text, _) = ed25519(header);
        assert!(Token::parse(&text).is_none(), "{header}");
    }
    let long = "a".repeat(MAX_LENGTH + 1);
    for text in ["", ".", "..", "a.b.c", "a.b.c.d", "é.é.é", long.as_str()] {
        assert!(Token::parse(text).is_none(), "{text}");
    }
}

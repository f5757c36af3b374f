//! The `Stripe-Signature` header (docs.stripe.com/webhooks, "Verify webhook signatures manually").
//!
//! `t=<unix seconds>,v1=<hex>,…`: HMAC-SHA256 over `t`, a dot and the raw body. Several `v1` and
//! several secrets are normal while a secret is rolled.

use crate::config::Secret;
use crate::crypto::{from_hex, hex, hmac_sha256, same};
use crate::time::Millis;

/// How far the header's time may be from ours, in seconds (the tolerance of Stripe's libraries).
const TOLERANCE_SECONDS: i64 = 300;
/// Signatures that are looked at; Stripe sends one per active secret.
const MAX_SIGNATURES: usize = 16;

/// Whether the header is a fresh signature over exactly these bytes by one of the secrets.
pub(super) fn is_valid(header: &str, body: &[u8], secrets: &[Secret], now: Millis) -> bool {
    let Some((time, signatures)) = parse(header) else {
        return false;
    };
    let Ok(sent) = time.parse::<i64>() else {
        return false;
    };
    if now.seconds().saturating_sub(sent).saturating_abs() > TOLERANCE_SECONDS {
        return false;
    }
    // All are compared, so that the time tells nothing of which one matched.
    secrets.iter().fold(false, |valid, secret| {
        let expected = mac(secret.expose(), time, body);
        signatures
            .iter()
            .fold(valid, |valid, signature| valid | same(signature, &expected))
    })
}

/// A header for `body`, as Stripe makes it; for tests and demonstrations.
pub fn sign(secret: &str, body: &[u8], now: Millis) -> String {
    let time = now.seconds().to_string();
    format!("t={time},v1={}", hex(&mac(secret, &time, body)))
}

fn mac(secret: &str, time: &str, body: &[u8]) -> [u8; 32] {
    hmac_sha256(secret.as_bytes(), &[time.as_bytes(), b".", body])
}

/// The time and all well-formed `v1` signatures; other schemes are passed over.
fn parse(header: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    let mut time = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        let (name, value) = part.split_once('=')?;
        match name.trim() {
            "t" if time.is_none() => time = Some(value.trim()),
            "t" => return None,
            "v1" if signatures.len() < MAX_SIGNATURES => {
                signatures.extend(from_hex(value.trim()).filter(|bytes| bytes.len() == 32));
            }
            _ => {}
        }
    }
    let digits =
        |text: &&str| (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    Some((time.filter(digits)?, signatures))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;

    const NOW: Millis = Millis(1_760_000_000_000);
    const BODY: &[u8] = b"{\"id\":\"evt_1\"}\n";

    fn secrets(list: &str) -> Vec<Secret> {
        let app = App::new(|name| {
            Some(match name {
                "ENVIRONMENT" => "test".to_owned(),
                "STRIPE_WEBHOOK_SECRET" => list.to_owned(),
                "JWT_SECRET" | "JWT_REFRESH_SECRET" | "SERVICE_JWT_SECRET" => "k".repeat(40),
                _ => return None,
            })
        });
        app.ready().unwrap().config.stripe_webhook_secrets.clone()
    }

    /// Rows: H-06
    #[test]
    fn signatures_of_any_active_secret_are_good() {
        let known = secrets("whsec_one,whsec_two");
        for secret in ["whsec_one", "whsec_two"] {
            assert!(is_valid(&sign(secret, BODY, NOW), BODY, &known, NOW));
        }
        assert!(!is_valid(
            &sign("whsec_three", BODY, NOW),
            BODY,
            &known,
            NOW
        ));
    }

    /// Made by Stripe's own library (tests/counterparts/stripe.mjs holds them to it).
    /// Rows: H-03 H-04 H-06
    #[test]
    fn signatures_are_those_of_stripes_library() {
        let vectors = include_str!("../../../../tests/counterparts/stripe-vectors.json");
        let vectors: Vec<serde_json::Value> = serde_json::from_str(vectors).unwrap();
        assert!(vectors.len() > 5);
        for vector in vectors {
            let text = |name: &str| vector[name].as_str().unwrap().to_owned();
            let (header, payload, secret) = (text("header"), text("payload"), text("secret"));
            let at = Millis(vector["timestamp"].as_i64().unwrap() * 1000);
            let body = payload.as_bytes();
            assert_eq!(sign(&secret, body, at), header);
            let known = [Secret::new("whsec_other".to_owned()), Secret::new(secret)];
            assert!(is_valid(&header, body, &known, at), "{payload:?}");
            assert!(!is_valid(&header, body, &known[..1], at));
            let [changed, longer] = [payload.trim().to_owned(), payload.clone() + "\n"];
            for other in [changed, longer] {
                let same = other == payload;
                assert_eq!(is_valid(&header, other.as_bytes(), &known, at), same);
            }
        }
    }

    /// Rows: H-04
    #[test]
    fn the_time_may_be_five_minutes_off_and_no_more() {
        let known = secrets("whsec_one");
        let header = sign("whsec_one", BODY, NOW);
        for (offset, valid) in [
            (300_000, true),
            (-300_000, true),
            (301_000, false),
            (-301_000, false),
        ] {
            assert_eq!(
                is_valid(&header, BODY, &known, NOW.plus(offset)),
                valid,
                "{offset}"
            );
        }
    }

    /// Rows: H-04
    #[test]
    fn changed_bytes_and_odd_headers_are_refused() {
        let known = secrets("whsec_one");
        let good = sign("whsec_one", BODY, NOW);
        assert!(!is_valid(&good, b"{\"id\":\"evt_1\"}", &known, NOW));
        let signature = good.split("v1=").nth(1).unwrap();
        let seconds = NOW.seconds();
        assert!(is_valid(
            &format!("t={seconds},v0=abc,v1=00,v1={signature}"),
            BODY,
            &known,
            NOW
        ));
        for header in [
            String::new(),
            "t=,v1=".to_owned(),
            format!("v1={signature}"),
            format!("t={seconds}"),
            format!("t={seconds},t={seconds},v1={signature}"),
            format!("t=+{seconds},v1={signature}"),
            format!("t={seconds},v1={}", &signature[1..]),
            format!("t=99999999999999999999,v1={signature}"),
            format!("t={seconds},v0={signature}"),
            "é=ü,🦀".to_owned(),
        ] {
            assert!(!is_valid(&header, BODY, &known, NOW), "{header}");
        }
    }
}

//! Calls of Stripe's API (docs.stripe.com/api).
//!
//! Each is made in the version that this code was written for, within a time, behind a breaker, and
//! again after a failure ([`crate::outbound`]). What does something carries an idempotency key that is
//! the same for every repetition, so that Stripe does it once.

use serde::Deserialize;

use super::event::API_VERSION;
use super::form::Form;
use crate::config::Feature;
use crate::crypto::{base64url, digest};
use crate::http::{Code, Context, Error};
use crate::outbound::{self, STRIPE};
use crate::port::Platform;

/// The idempotency key for what `tenant` wants done: the same for the same words, and telling
/// nothing of them. `own` is the key that the client sent, or the id of an object of ours.
pub fn key(tenant: &str, action: &str, own: &str) -> String {
    let mut key = "edgekeep-".to_owned();
    let parts = [tenant.as_bytes(), action.as_bytes(), own.as_bytes()];
    key.push_str(&base64url(&digest(&parts)));
    key
}

/// Reads an object: `/v1/subscriptions/sub_1`.
///
/// # Errors
/// `BILLING_DISABLED`, `BILLING_NOT_CONFIGURED`; for a 4xx `PAYMENT_REFUSED`, `BILLING_OBJECT_MISSING` or
/// `UPSTREAM_REFUSED`; `UPSTREAM_TIMEOUT` and `UPSTREAM_FAILED` when there was no answer.
pub async fn get<P: Platform>(cx: &Context<'_, P>, path: &str) -> Result<Vec<u8>, Error> {
    send(cx, "GET", path, None).await
}

/// Makes or changes an object, once for each `key`.
///
/// # Errors
/// As [`get`]; `PAYMENT_REFUSED`.
pub async fn post<P: Platform>(
    cx: &Context<'_, P>,
    path: &str,
    form: Form,
    key: String,
) -> Result<Vec<u8>, Error> {
    send(cx, "POST", path, Some((form, key))).await
}

/// Ends an object. Who repeats it may get `BILLING_OBJECT_MISSING` for what has worked.
///
/// # Errors
/// As [`get`].
pub async fn delete<P: Platform>(cx: &Context<'_, P>, path: &str) -> Result<Vec<u8>, Error> {
    send(cx, "DELETE", path, None).await
}

async fn send<P: Platform>(
    cx: &Context<'_, P>,
    method: &'static str,
    path: &str,
    body: Option<(Form, String)>,
) -> Result<Vec<u8>, Error> {
    let config = cx.config()?;
    if !config.features.on(Feature::Billing) {
        return Err(Error::new(Code::BillingDisabled));
    }
    let Some(secret) = &config.stripe_key else {
        return Err(no_key());
    };
    // Ids come from Stripe, and some from whoever writes there. None leads elsewhere.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/?=&%".contains(&byte);
    if !path.bytes().all(plain) {
        return Err(Error::new(Code::UpstreamRefused).with_cause("stripe: an odd path"));
    }
    let mut url = config.stripe_api_base.clone();
    url.push_str(path);
    let mut bearer = "Bearer ".to_owned();
    bearer.push_str(secret.expose());
    let mut headers = vec![
        ("authorization", bearer),
        ("stripe-version", API_VERSION.to_owned()),
        ("accept", "application/json".to_owned()),
    ];
    let mut sent = Vec::new();
    if let Some((form, key)) = body {
        sent = form.into_text().into_bytes();
        headers.push(("idempotency-key", key));
        let kind = "application/x-www-form-urlencoded";
        headers.push(("content-type", kind.to_owned()));
    }
    let request = STRIPE.request(method, url, headers, sent);
    let response = outbound::call(cx, &STRIPE, request).await?;
    match response.status {
        200..=299 => Ok(response.body),
        status => Err(refusal(status, &response.body)),
    }
}

/// Stripe's error object (docs.stripe.com/api/errors), as far as it is looked at. Its message is
/// not: it quotes what was sent.
#[derive(Debug, Default, Deserialize)]
struct Told {
    error: ToldError,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToldError {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    /// Ends in the id of the request, by which it is found in Stripe's dashboard.
    request_log_url: Option<String>,
}

/// What a 4xx of Stripe's means to our clients; the log gets its code and the id of the request.
fn refusal(status: u16, body: &[u8]) -> Error {
    let told = serde_json::from_slice::<Told>(body).unwrap_or_default();
    let ToldError {
        kind,
        code,
        request_log_url,
    } = told.error;
    let [kind, code] = [kind, code].map(|word| word.filter(|word| is_word(word)));
    let url = request_log_url.as_deref().unwrap_or_default();
    let request = url.rsplit('/').next().unwrap_or_default();
    let request = request.split('?').next().unwrap_or_default();
    let mut cause = "stripe: ".to_owned();
    cause.push_str(&status.to_string());
    let words = [kind.as_deref(), code.as_deref(), Some(request)];
    for word in words.into_iter().flatten().filter(|word| is_word(word)) {
        cause.push(' ');
        cause.push_str(word);
    }
    let error = match (status, kind.as_deref(), code.as_deref()) {
        (402, ..) | (_, Some("card_error"), _) => {
            let error = Error::new(Code::PaymentRefused);
            match code {
                Some(code) => error.with_member("reason", code),
                None => error,
            }
        }
        (404, ..) | (_, _, Some("resource_missing")) => Error::new(Code::BillingObjectMissing),
        (401 | 403, ..) => Error::new(Code::BillingNotConfigured),
        // It was repeated and still is so: too many at once, or one at the same object.
        (409 | 429, ..) => Error::new(Code::UpstreamFailed).with_retry_after(5),
        _ => Error::new(Code::UpstreamRefused),
    };
    error.with_cause(cause)
}

/// The error where nobody has set `STRIPE_SECRET_KEY`.
pub(crate) fn no_key() -> Error {
    Error::new(Code::BillingNotConfigured).with_cause("STRIPE_SECRET_KEY is not set")
}

/// Whether a text can be one of Stripe's words or ids, and so be told.
pub(super) fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: H-20
    #[test]
    fn keys_are_of_their_words_and_tell_nothing() {
        let one = key("ten_1", "checkout", "abc");
        assert_eq!(one, key("ten_1", "checkout", "abc"));
        assert!(one.len() < 255 && !one.contains("ten_1"), "{one}");
        for other in [
            key("ten_2", "checkout", "abc"),
            key("ten_1", "cancel", "abc"),
            key("ten_1", "checkou", "tabc"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn refusals_have_a_code_and_keep_stripes_message_to_themselves() {
        let told = |status, kind: &str, code: &str| {
            let body = format!(
                r#"{{"error":{{"type":"{kind}","code":"{code}","message":"No such customer: 'a@b.test'",
                    "request_log_url":"https://dashboard.stripe.com/test/logs/req_9?t=1"}}}}"#
            );
            refusal(status, body.as_bytes())
        };
        for (status, kind, code, expected) in [
            (402, "card_error", "card_declined", Code::PaymentRefused),
            (
                400,
                "invalid_request_error",
                "resource_missing",
                Code::BillingObjectMissing,
            ),
            (404, "invalid_request_error", "", Code::BillingObjectMissing),
            (401, "invalid_request_error", "", Code::BillingNotConfigured),
            (400, "idempotency_error", "", Code::UpstreamRefused),
            (
                429,
                "invalid_request_error",
                "rate_limit",
                Code::UpstreamFailed,
            ),
            (409, "idempotency_error", "", Code::UpstreamFailed),
        ] {
            let error = told(status, kind, code);
            assert_eq!(error.code(), expected, "{status} {kind} {code}");
            let cause = error.cause().unwrap();
            assert!(cause.contains("req_9") && cause.contains(kind), "{cause}");
            assert!(!cause.contains("a@b"), "{cause}");
        }
        let odd = refusal(400, b"<html>");
        assert_eq!(odd.cause(), Some("stripe: 400"));
    }
}

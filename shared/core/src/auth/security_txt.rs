//! Where to report a vulnerability (RFC 9116).

use crate::http::{Code, Context, Error, Interrupt, Reply, Response};
use crate::port::Platform;
use crate::time::DAY;

/// The RFC recommends less than a year; whoever reads it later asks again.
const GOOD_FOR: i64 = 180 * DAY;

/// `GET /.well-known/security.txt`
///
/// # Errors
/// `FEATURE_DISABLED` where `SECURITY_CONTACT` is not set.
pub(super) fn show<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let config = cx.config()?;
    let contact = config.security_contact.as_deref();
    let contact = contact.ok_or_else(|| Error::new(Code::FeatureDisabled))?;
    let expires = cx.now.plus(GOOD_FOR).rfc3339();
    let text = [
        "Contact: ",
        contact,
        "\nExpires: ",
        &expires,
        "\nPreferred-Languages: en\nCanonical: ",
        &config.gateway_url,
        "/.well-known/security.txt\n",
    ];
    let response = Response::new(200, "text/plain; charset=utf-8", text.concat());
    Ok(Reply::Raw(response).with_header("cache-control", "public, max-age=300"))
}

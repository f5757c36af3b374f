//! Passwords that are in known breaches, asked of Have I Been Pwned by k-anonymity: five of the
//! forty hexadecimal digits of the password's SHA-1 leave the system, and the answer is padded so
//! that its size tells nothing.

use serde_json::json;
use sha1::{Digest as _, Sha1};

use crate::config::BreachCheck;
use crate::crypto::hex;
use crate::http::{Code, Context, Error};
use crate::metrics;
use crate::outbound::{self, BREACHES};
use crate::port::{Level, Platform};

/// Refuses a password that is in a breach, where `PASSWORD_BREACH_CHECK` is on.
///
/// # Errors
/// `PASSWORD_BREACHED`; `UNAVAILABLE` when nobody could be asked and `PASSWORD_BREACH_POLICY` is
/// closed.
pub(super) async fn check<P: Platform>(cx: &Context<'_, P>, password: &str) -> Result<(), Error> {
    let Some(check) = &cx.config()?.breach_check else {
        return Ok(());
    };
    match ask(cx, check, password).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::new(Code::PasswordBreached).with_field("password")),
        Err(why) => {
            cx.count(metrics::breach_check_errors());
            let policy = if check.closed { "closed" } else { "open" };
            let fields = [("cause", json!(why)), ("policy", json!(policy))];
            cx.log(Level::Warn, "auth.breach_check_failed", &fields);
            if check.closed {
                let cause = format!("breach check: {why}");
                return Err(Error::new(Code::Unavailable)
                    .with_retry_after(5)
                    .with_cause(cause));
            }
            Ok(())
        }
    }
}

async fn ask<P: Platform>(
    cx: &Context<'_, P>,
    check: &BreachCheck,
    password: &str,
) -> Result<bool, String> {
    let digest = hex(&Sha1::digest(password.as_bytes()));
    let (prefix, rest) = digest.split_at_checked(5).ok_or("no digest")?;
    let headers = vec![
        ("add-padding", "true".to_owned()),
        ("user-agent", "edgekeep".to_owned()),
    ];
    let url = format!("{}/range/{prefix}", check.api_base);
    let answer = outbound::call(cx, &BREACHES, BREACHES.get(url, headers)).await;
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status != 200 {
        return Err(format!("status {}", answer.status));
    }
    let text = String::from_utf8(answer.body).map_err(|_| "not a text")?;
    Ok(lists(&text, rest))
}

/// Whether a line `SUFFIX:COUNT` names the suffix. A count of zero is padding.
fn lists(answer: &str, suffix: &str) -> bool {
    answer.lines().any(|line| {
        line.trim().split_once(':').is_some_and(|(known, count)| {
            known.eq_ignore_ascii_case(suffix) && count.parse::<u64>() != Ok(0)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-1 of "password" is 5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8.
    #[test]
    fn only_a_counted_line_is_a_hit() {
        let rest = "1e4c9b93f3f0682250b6cf8331b7ee68fd8";
        assert_eq!(hex(&Sha1::digest(b"password")), format!("5baa6{rest}"));
        assert!(lists(
            "00:1\r\n1E4C9B93F3F0682250B6CF8331B7EE68FD8:3730471\r\n",
            rest
        ));
        assert!(!lists("1E4C9B93F3F0682250B6CF8331B7EE68FD8:0", rest));
        assert!(!lists("1E4C9B93F3F0682250B6CF8331B7EE68FD9:7", rest));
        assert!(!lists("", rest));
    }
}

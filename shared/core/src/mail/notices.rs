//! Notices: mails about what happened by itself. What they tell is the payload of their event
//! ([`crate::outbox`]), all of it text of ours or of the tenant's own, and escaped as any other.

use serde_json::Value as Json;

use super::templates::{Letter, Template};
use crate::app::Ready;
use crate::trials::UPGRADE_PATH;

/// The text of a notice; `None` for what is none.
pub(super) fn letter(template: Template, ready: &Ready, detail: &str) -> Option<Letter> {
    let detail: Json = serde_json::from_str(detail).unwrap_or_default();
    let billing = || Some(format!("{}{UPGRADE_PATH}", ready.config.frontend_url));
    Some(match template {
        Template::TrialEnding => Letter {
            subject: "Your trial ends soon",
            before: format!(
                "The trial of your organization ends on {}. To keep what the plan {} has, \
                 choose a plan before then:",
                moment(&detail, "ends_at"),
                text(&detail, "plan"),
            ),
            link: billing(),
            after: "If you do nothing, the organization continues on the free plan, and what it \
                    has stored stays."
                .to_owned(),
        },
        Template::TrialLastDay => Letter {
            subject: "Your trial ends within a day",
            before: format!(
                "This is the last day of your organization's trial: it ends on {}. To keep what \
                 the plan {} has, choose a plan:",
                moment(&detail, "ends_at"),
                text(&detail, "plan"),
            ),
            link: billing(),
            after: "If you do nothing, the organization continues on the free plan, and what it \
                    has stored stays."
                .to_owned(),
        },
        Template::TrialExpired => Letter {
            subject: "Your trial has ended",
            before: format!(
                "The trial of your organization ended on {}, and it has the free plan now. What \
                 it has stored is still there. To go on with what the plan {} has, choose a plan:",
                moment(&detail, "ends_at"),
                text(&detail, "plan"),
            ),
            link: billing(),
            after: "If the free plan is enough, there is nothing to do.".to_owned(),
        },
        Template::PaymentPaid => Letter {
            subject: "Your payment has arrived",
            before: format!(
                "We have received your payment of {}. Its number is {}.",
                amount(&detail),
                text(&detail, "payment"),
            ),
            link: None,
            after: "There is nothing to do. If you do not know this payment, tell whoever runs \
                    this service."
                .to_owned(),
        },
        Template::QuotaThreshold => Letter {
            subject: "Your organization nears the limit of its plan",
            before: format!(
                "Your organization has used {} % of what its plan allows{}. When all of it is \
                 used, further requests are refused until the next period. Other plans allow \
                 more:",
                number(&detail, "percent"),
                of_what(&detail),
            ),
            link: billing(),
            after: "If that is enough, there is nothing to do.".to_owned(),
        },
        _ => return None,
    })
}

fn text<'d>(detail: &'d Json, name: &str) -> &'d str {
    detail.get(name).and_then(Json::as_str).unwrap_or("-")
}

fn number(detail: &Json, name: &str) -> i64 {
    detail.get(name).and_then(Json::as_i64).unwrap_or_default()
}

/// What a quota is about, if the event says so.
fn of_what(detail: &Json) -> String {
    match detail.get("meter").and_then(Json::as_str) {
        Some(meter) => format!(" ({meter})"),
        None => String::new(),
    }
}

/// `2026-11-20T10:18:00.000Z` as people read it.
fn moment(detail: &Json, name: &str) -> String {
    let stamp = text(detail, name);
    match (stamp.get(..10), stamp.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} at {minute} UTC"),
        _ => stamp.to_owned(),
    }
}

/// Minor units as people read them: most currencies have a hundred of them, some one or a
/// thousand (ISO 4217, as Stripe counts).
fn amount(detail: &Json) -> String {
    let minor = number(detail, "amount_minor");
    let currency = text(detail, "currency").to_uppercase();
    let (unit, digits) = match currency.as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => (1, 0),
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => (1_000, 3),
        _ => (100, 2),
    };
    let (whole, rest) = (minor.div_euclid(unit), minor.rem_euclid(unit));
    if digits == 0 {
        format!("{whole} {currency}")
    } else {
        format!("{whole}.{rest:0digits$} {currency}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::templates::escaped;
    use super::super::templates::tests::app;
    use super::*;

    const NOTICES: [Template; 5] = [
        Template::TrialEnding,
        Template::TrialLastDay,
        Template::TrialExpired,
        Template::PaymentPaid,
        Template::QuotaThreshold,
    ];

    fn detail() -> String {
        json!({"ends_at": "2026-12-06T03:44:59.000Z", "plan": "PROFESSIONAL", "payment": "pay_1",
            "amount_minor": 123_405, "currency": "eur", "percent": 80, "meter": "<b>calls</b>"})
        .to_string()
    }

    /// Rows: U-02
    #[test]
    fn every_notice_tells_what_happened_as_text_and_as_html() {
        let app = app();
        let ready = app.ready().unwrap();
        for template in NOTICES {
            let letter = letter(template, ready, &detail()).unwrap();
            let (text, html) = (letter.text(), letter.html());
            for part in [&letter.before, &letter.after] {
                assert!(text.contains(part.as_str()), "{text}");
                assert!(html.contains(&escaped(part)), "{html}");
            }
            let told = match template {
                Template::PaymentPaid => "1234.05 EUR",
                Template::QuotaThreshold => "80 % of what its plan allows (<b>calls</b>)",
                _ => "2026-12-06 at 03:44 UTC",
            };
            assert!(letter.before.contains(told), "{}", letter.before);
            assert!(!html.contains("<b>"), "{html}");
            if let Some(link) = letter.link {
                assert_eq!(link, format!("{}/billing", ready.config.frontend_url));
            }
        }
    }

    /// Rows: U-02
    #[test]
    fn each_template_is_a_letter_or_a_notice() {
        let app = app();
        let ready = app.ready().unwrap();
        for &template in Template::ALL {
            let asked = template
                .letter(ready, "t", crate::time::Millis(0))
                .is_some();
            let notice = letter(template, ready, "{}").is_some();
            assert_ne!(asked, notice, "{template:?}");
            assert_eq!(notice, NOTICES.contains(&template), "{template:?}");
        }
    }

    #[test]
    fn amounts_have_the_places_of_their_currency() {
        for (minor, currency, told) in [
            (5, "usd", "0.05 USD"),
            (100, "jpy", "100 JPY"),
            (1_234_567, "KWD", "1234.567 KWD"),
        ] {
            let detail = json!({"amount_minor": minor, "currency": currency});
            assert_eq!(amount(&detail), told);
        }
    }

    #[test]
    fn a_detail_that_cannot_be_read_is_no_panic() {
        let app = app();
        let ready = app.ready().unwrap();
        for detail in [
            "",
            "null",
            "[1]",
            r#"{"ends_at":"é"}"#,
            r#"{"ends_at":"éééééééééé"}"#,
        ] {
            for template in NOTICES {
                assert!(letter(template, ready, detail).is_some());
            }
        }
    }
}

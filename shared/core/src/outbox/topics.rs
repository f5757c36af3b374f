//! What can happen, and who is told.

use crate::mail::Template;

/// A kind of event.
#[derive(Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name, for good.
    pub name: &'static str,
    /// Version of its payload's form; another form is another version.
    pub version: i64,
    /// The mail that the tenant's founders get.
    pub(super) mail: Option<Template>,
    /// What it means, for docs/outbox.md. What is deployed does not carry it.
    #[cfg(not(target_family = "wasm"))]
    pub meaning: &'static str,
}

macro_rules! topics {
    ($( $id:ident = $name:literal, $version:literal, $mail:expr, $meaning:literal; )*) => {
        impl Topic {
            $(
                #[doc = $meaning]
                pub const $id: &'static Self = &Self {
                    name: $name,
                    version: $version,
                    mail: $mail,
                    #[cfg(not(target_family = "wasm"))]
                    meaning: $meaning,
                };
            )*
        }

        /// Every topic. One that is not here waits in the outbox for a build that knows it.
        pub static TOPICS: &[&Topic] = &[$( Topic::$id ),*];
    };
}

topics! {
    SUBSCRIPTION_CHANGED = "subscription.changed", 1, None,
        "What the tenant pays for has changed.";
    TRIAL_STARTED = "trial.started", 1, None,
        "A trial has begun.";
    TRIAL_ENDING = "trial.ending", 1, Some(Template::TrialEnding),
        "A trial ends within three days.";
    TRIAL_LAST_DAY = "trial.last_day", 1, Some(Template::TrialLastDay),
        "A trial ends within a day.";
    TRIAL_EXPIRED = "trial.expired", 1, Some(Template::TrialExpired),
        "A trial has ended, and the tenant has the plan FREE.";
    TRIAL_CONVERTED = "trial.converted", 1, None,
        "A trial has ended, and the tenant pays.";
    TRIAL_EXTENDED = "trial.extended", 1, None,
        "A trial ends at another time.";
    QUOTA_THRESHOLD = "quota.threshold", 1, Some(Template::QuotaThreshold),
        "Usage has reached a share of the plan's quota.";
    INVOICE_CREATED = "invoice.created", 1, None,
        "An invoice for usage was made; it is final from the start.";
    INVOICE_PAID = "invoice.paid", 1, None,
        "An invoice was paid.";
    INVOICE_FAILED = "invoice.payment_failed", 1, None,
        "An invoice could not be paid.";
    INVOICE_VOIDED = "invoice.voided", 1, None,
        "An invoice for usage was taken back.";
    INVOICE_UNCOLLECTIBLE = "invoice.marked_uncollectible", 1, None,
        "An invoice for usage was given up.";
    PAYMENT_PAID = "payment.paid", 1, Some(Template::PaymentPaid),
        "A payment was made.";
    PAYMENT_FAILED = "payment.failed", 1, None,
        "A payment could not be made.";
    PAYMENT_CANCELLED = "payment.cancelled", 1, None,
        "A payment was cancelled.";
}

impl Topic {
    /// Name of the mail that it causes.
    pub fn mail(&self) -> Option<&'static str> {
        self.mail.map(Template::name)
    }

    /// The topic of that name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        TOPICS.iter().copied().find(|topic| topic.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: K-04
    #[test]
    fn topics_have_names_of_their_own() {
        let mut seen = std::collections::BTreeSet::new();
        for topic in TOPICS {
            let (subject, act) = topic.name.split_once('.').unwrap();
            let plain = |text: &str| {
                !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            };
            assert!(plain(subject) && plain(act), "{}", topic.name);
            assert!(seen.insert(topic.name), "{}", topic.name);
            assert!(topic.version >= 1);
            assert_eq!(Topic::named(topic.name), Some(*topic));
        }
        assert_eq!(Topic::named("trial"), None);
    }
}

//! Parts of the product that an operator may turn off, by `FEATURES_DISABLED` and `BILLING_ENABLED`.
//!
//! A route names its feature in its table. A feature is the deployment's, not a tenant's: who may
//! use a part that is on, and how much of it, say roles and plans.

use super::checks::Loader;
use crate::http::Code;

/// A part of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// New accounts.
    Registration,
    /// Sign-in through others.
    Oauth,
    /// API keys.
    ApiKeys,
    /// Invitations.
    Invitations,
    /// Background jobs.
    Jobs,
    /// Usage events.
    Usage,
    /// Stripe.
    Billing,
}

impl Feature {
    /// All of them, in the order of the documents.
    pub const ALL: [Self; 7] = [
        Self::Registration,
        Self::Oauth,
        Self::ApiKeys,
        Self::Invitations,
        Self::Jobs,
        Self::Usage,
        Self::Billing,
    ];

    /// The name in `FEATURES_DISABLED`, in metrics and in the report of the environment.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Oauth => "oauth",
            Self::ApiKeys => "api_keys",
            Self::Invitations => "invitations",
            Self::Jobs => "jobs",
            Self::Usage => "usage",
            Self::Billing => "billing",
        }
    }

    /// What is gone without it, for docs/config.md.
    pub const fn without(self) -> &'static str {
        match self {
            Self::Registration => {
                "nobody gets a new account, by password or through a provider; those who have one go on"
            }
            Self::Oauth => {
                "no sign-in through others, and no linking; accounts keep what is linked"
            }
            Self::ApiKeys => {
                "no routes for keys, and keys that exist are answered 401 `API_KEY_INVALID`"
            }
            Self::Invitations => "nobody can be invited, and links that were sent wait",
            Self::Jobs => "no jobs are taken or run; those that are queued wait",
            Self::Usage => "no events are taken and no totals shown",
            Self::Billing => "Stripe's webhook is refused, and everybody stays on their plan",
        }
    }

    /// The answer of its routes while it is off. Not 403: no credential would help. Not 503: asking
    /// again would not either, and monitors would call somebody. Stripe's webhook is the exception,
    /// because Stripe repeats what it could not deliver, and shows it to the operator.
    pub const fn refusal(self) -> Code {
        match self {
            Self::Billing => Code::BillingDisabled,
            _ => Code::FeatureDisabled,
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Which features are on.
#[derive(Debug, Clone, Copy)]
pub struct Features {
    off: u32,
}

impl Features {
    /// Whether a feature is on.
    pub const fn on(self, feature: Feature) -> bool {
        self.off & feature.bit() == 0
    }

    fn turn_off(&mut self, feature: Feature) {
        self.off |= feature.bit();
    }
}

impl Loader<'_> {
    /// `FEATURES_DISABLED`, and billing, which is off unless it is asked for.
    pub(super) fn features(&mut self, billing: bool) -> Features {
        let mut features = Features { off: 0 };
        if !billing {
            features.turn_off(Feature::Billing);
        }
        // Billing has a variable of its own, and of two nobody could say which holds.
        let known = || Feature::ALL.into_iter().filter(|f| *f != Feature::Billing);
        let mut unknown = false;
        for name in self.list("FEATURES_DISABLED") {
            match known().find(|feature| feature.name() == name) {
                Some(feature) => features.turn_off(feature),
                None => unknown = true,
            }
        }
        if unknown {
            let names: Vec<_> = known().map(Feature::name).collect();
            self.problem(format!(
                "FEATURES_DISABLED names no feature: it may list {}",
                names.join(", ")
            ));
        }
        features
    }
}

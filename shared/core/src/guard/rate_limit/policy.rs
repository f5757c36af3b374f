//! What is limited, how much of it, and by which algorithm.

/// How dear a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateClass {
    /// Not limited: probes, and webhooks that must never starve.
    Unlimited,
    /// Reading.
    Read,
    /// Creating and changing.
    Write,
    /// Usage events, which come in bulk.
    Ingest,
    /// Signing in and what belongs to it.
    Auth,
    /// What makes models work: jobs.
    Ai,
    /// What moves money, or is on the way to it.
    Payments,
}

impl RateClass {
    /// What a request of this class counts in. All must let it pass.
    pub const fn policies(self) -> &'static [Policy] {
        match self {
            Self::Unlimited => &[],
            Self::Read => &[Policy::Global],
            Self::Write => &[Policy::Write, Policy::Global],
            Self::Ingest => &[Policy::Ingest],
            Self::Auth => &[Policy::Auth, Policy::Global],
            Self::Ai => &[Policy::Ai, Policy::Global],
            Self::Payments => &[Policy::Payments, Policy::Global],
        }
    }
}

/// One count for each caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Everything but ingest.
    Global,
    /// [`RateClass::Write`]
    Write,
    /// [`RateClass::Ingest`]
    Ingest,
    /// [`RateClass::Auth`]
    Auth,
    /// [`RateClass::Ai`]
    Ai,
    /// [`RateClass::Payments`]
    Payments,
}

impl Policy {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Global,
        Self::Write,
        Self::Ingest,
        Self::Auth,
        Self::Ai,
        Self::Payments,
    ];

    /// The name in `RATE_LIMITS`, in the `RateLimit` fields and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Write => "write",
            Self::Ingest => "ingest",
            Self::Auth => "auth",
            Self::Ai => "ai",
            Self::Payments => "payments",
        }
    }
}

/// How requests become a number that is held to the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The requests of this minute, and the share of the last minute that the past 60 s still cover.
    Sliding,
    /// The requests of this minute.
    Fixed,
    /// A bucket of `limit` tokens into which `limit` a minute drip (the generic cell rate algorithm,
    /// ITU-T I.371).
    Bucket,
}

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests a minute; of a bucket also its size. From 1 to [`Quota::MOST`].
    pub limit: u32,
    /// By which algorithm.
    pub algorithm: Algorithm,
}

impl Quota {
    /// More than any one caller can send. A bucket counts microseconds, so there is an end.
    pub const MOST: u32 = 10_000_000;

    const fn sliding(limit: u32) -> Self {
        Self {
            limit,
            algorithm: Algorithm::Sliding,
        }
    }

    /// `100`, `100:fixed`
    fn read(text: &str) -> Option<Self> {
        let (number, name) = text.split_once(':').unwrap_or((text, "sliding"));
        let limit = number.trim().parse().ok()?;
        let algorithm = match name.trim() {
            "sliding" => Algorithm::Sliding,
            "fixed" => Algorithm::Fixed,
            "bucket" => Algorithm::Bucket,
            _ => return None,
        };
        (1..=Self::MOST)
            .contains(&limit)
            .then_some(Self { limit, algorithm })
    }
}

/// Every policy's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits([Quota; Policy::ALL.len()]);

impl Default for Limits {
    /// The FREE plan's limits.
    fn default() -> Self {
        Self([100, 10, 600, 30, 20, 5].map(Quota::sliding))
    }
}

impl Limits {
    /// The limit of a policy.
    pub fn of(&self, policy: Policy) -> Quota {
        // There is one for each, so the other one is never taken.
        let own = self.0.get(policy as usize).copied();
        own.unwrap_or(Quota::sliding(1))
    }

    /// These limits with what `text` says: `write=10:bucket,global=100`. `None` when it names what
    /// there is not, or one policy twice.
    #[must_use]
    pub fn with(mut self, text: &str) -> Option<Self> {
        let mut named = 0_u32;
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let (name, quota) = part.split_once('=')?;
            let policy = Policy::ALL
                .into_iter()
                .find(|policy| policy.name() == name.trim())?;
            let bit = 1_u32.checked_shl(policy as u32)?;
            // Of two numbers for one policy nobody could say which holds.
            if named & bit != 0 {
                return None;
            }
            named |= bit;
            *self.0.get_mut(policy as usize)? = Quota::read(quota)?;
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_pairs() {
        let limits = Limits::default();
        let read = limits
            .with(" global = 7 , write=9:bucket,ai=3:fixed,")
            .unwrap();
        let of = |policy| (read.of(policy).limit, read.of(policy).algorithm);
        assert_eq!(of(Policy::Global), (7, Algorithm::Sliding));
        assert_eq!(of(Policy::Write), (9, Algorithm::Bucket));
        assert_eq!(of(Policy::Ai), (3, Algorithm::Fixed));
        assert_eq!(of(Policy::Auth), (30, Algorithm::Sliding));
        assert_eq!(limits.with(""), Some(limits));
        for bad in [
            "global",
            "global=0",
            "global=-1",
            "global=10000001",
            "unlimited=5",
            "read=5",
            "x=1",
            "global=1:leaky",
            "global=1,global=2",
            "global=1;write=2",
            "=1",
        ] {
            assert_eq!(limits.with(bad), None, "{bad}");
        }
    }

    /// Rows: E-01 E-02
    #[test]
    fn the_free_plan_has_the_limits_that_were_asked_for() {
        let of = |policy| Limits::default().of(policy).limit;
        assert_eq!(of(Policy::Global), 100);
        assert_eq!(of(Policy::Write), 10);
        assert_eq!(of(Policy::Ai), 20);
        assert_eq!(of(Policy::Payments), 5);
        for (number, policy) in Policy::ALL.into_iter().enumerate() {
            assert_eq!(policy as usize, number);
        }
    }
}

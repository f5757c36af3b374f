//! The general limit on a request's way: before the body is read, and again when the row that
//! judges the caller has told what limits hold.

use super::context::{Context, Meter};
use super::credential::{is_known, known_tenant};
use super::database;
use super::error::Error;
use crate::app::Ready;
use crate::guard::abuse::{self, LimitEvent};
use crate::guard::identity::Credential;
use crate::guard::rate_limit::{Caller, Charge, RateClass, charge, learn};
use crate::port::Platform;
use crate::sql::Row;
use crate::time::Millis;

/// API keys that an address may have looked up in a minute although it is over its limit.
const UNKNOWN_KEYS: u32 = 3;

/// Counts a request, and refuses it if that is too many.
///
/// # Errors
/// `RATE_LIMITED` with `Retry-After`.
pub(super) async fn check<P: Platform>(
    platform: &P,
    ready: &Ready,
    class: RateClass,
    credential: Option<&Credential>,
    client: &str,
    now: Millis,
    meter: &Meter,
) -> Result<(), Error> {
    // Who is not known yet counts by address, so that wrong tokens and made-up keys are limited.
    let known = credential.filter(|credential| is_known(credential, ready));
    let caller = match known.and_then(Credential::caller) {
        Some(text) => Caller::new(ready, &text),
        None => Caller::address(ready, client),
    };
    let Some(mut charged) = charge(platform, ready, class, caller, now, &meter.kv).await else {
        return Ok(());
    };
    if charged.is_refused()
        && let Some(credential) = credential
    {
        ask(platform, ready, class, credential, &mut charged, meter).await;
    }
    let refusal = charged.refusal();
    if refusal.is_some() {
        charged.undo(platform, ready).await;
        // For the log: whose request it was that never came to be judged.
        *meter.tenant.borrow_mut() = known.and_then(|credential| known_tenant(credential, ready));
    }
    *meter.charge.borrow_mut() = Some(charged);
    refusal.map_or(Ok(()), Err)
}

/// Asks the database what limits the caller has, before one is refused by limits that may be
/// others' or old, and judges again.
async fn ask<P: Platform>(
    platform: &P,
    ready: &Ready,
    class: RateClass,
    credential: &Credential,
    charged: &mut Charge,
    meter: &Meter,
) {
    let now = charged.now();
    let (Some(text), Ok(state)) = (credential.caller(), credential.state()) else {
        return;
    };
    let own = Caller::new(ready, &text);
    let counted = charged.caller();
    // A key that this isolate has not let in yet: anybody can make those up, so few are tried.
    let tries = |what| ready.watch.borrow_mut().count(what, counted, now);
    let unknown = own != counted;
    if ready.limiter.borrow().is_fresh(own, now) || unknown && tries("unknown") > UNKNOWN_KEYS {
        return;
    }
    let Some(rows) = database::ask(platform, ready, meter, &state).await else {
        return;
    };
    let limits = learn(platform, ready, credential, own, &rows, true, now);
    if !unknown {
        charged.judge_by(&limits);
    } else if let (Credential::Key(key), Some(Ok(tenant))) =
        (credential, rows.first().map(|row| row.text(0)))
    {
        let tenants = &ready.key_tenants;
        let known = || tenant.to_owned();
        tenants.borrow_mut().entry(key.secret_hash.clone(), known);
        charged.undo(platform, ready).await;
        if let Some(anew) = charge(platform, ready, class, own, now, &meter.kv).await {
            *charged = anew;
        }
    }
}

impl<P: Platform> Context<'_, P> {
    /// Learns the caller's limits from the rows that let them in, and judges the request again.
    /// One whose writes are done already (`written`) passes; then the next one is refused.
    ///
    /// # Errors
    /// `RATE_LIMITED` with `Retry-After`.
    pub(super) fn limit_again(&self, state: &[Row], written: bool) -> Result<(), Error> {
        let (Some(ready), Some(text)) = (self.ready, self.credential.caller()) else {
            return Ok(());
        };
        let mut charged = self.meter.charge.borrow_mut();
        let Some(charged) = charged.as_mut() else {
            return Ok(());
        };
        let own = Caller::new(ready, &text);
        let limits = learn(
            self.platform,
            ready,
            self.credential,
            own,
            state,
            false,
            self.now,
        );
        if own != charged.caller() {
            return Ok(());
        }
        charged.judge_by(&limits);
        if !charged.is_refused() {
            return Ok(());
        }
        charged.keep();
        let Some(error) = charged.refusal() else {
            return Ok(());
        };
        if !written {
            return Err(error);
        }
        limit_met(self.platform, ready, &error, own, true, self.now);
        Ok(())
    }
}

impl<P: Platform> Context<'_, P> {
    /// Tells the client how its plan's quota stands: what is left, and in how many seconds it begins
    /// anew; beside the rate limits, as a policy of its own.
    pub fn tell_quota(&self, limit: i64, remaining: i64, reset: i64) {
        if let Some(charged) = self.meter.charge.borrow_mut().as_mut() {
            charged.quota = Some([limit, remaining, reset]);
        }
    }
}

/// Tells the hook, if the error is a limit's.
pub(super) fn limit_met<P: Platform>(
    platform: &P,
    ready: &Ready,
    error: &Error,
    key: Caller,
    passed: bool,
    now: Millis,
) {
    if let Some((policy, limit)) = error.limit() {
        let event = LimitEvent {
            policy,
            key,
            limit,
            retry_after: error.retry_after().unwrap_or(0),
            passed,
        };
        abuse::limit_met(platform, ready, event, now);
    }
}

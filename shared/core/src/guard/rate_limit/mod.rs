//! The general rate limit: approximate, and cheap enough for every request.
//!
//! A request counts in the policies of its route's class, each with a limit by the caller's plan or
//! tenant and an algorithm of its own. An isolate counts for itself and merges into KV each time a
//! quarter of a limit is new, at most once a second and once for twenty requests of all its callers;
//! so a request costs a tenth of a KV call at most (docs/decisions/0014). Stores that count
//! atomically (Spin, native) are asked directly, because Spin's instances are too short-lived to
//! count. What must be exact is in [`super::exact_limit`].
//!
//! Every route of every function is limited by its entry in the table alone ([`RateClass`]). Five lines
//! limit something else, by itself:
//!
//! ```
//! # use core::cell::Cell;
//! # use edgekeep_core::{app::Ready, http::Error, port::Platform};
//! use edgekeep_core::guard::rate_limit::{Caller, RateClass, charge};
//!
//! # async fn handler<P: Platform>(platform: &P, ready: &Ready, address: &str) -> Result<(), Error> {
//! let (caller, kv) = (Caller::address(ready, address), Cell::new(0));
//! let charged = charge(platform, ready, RateClass::Write, caller, platform.now(), &kv).await;
//! if let Some(error) = charged.and_then(|charged| charged.refusal()) {
//!     return Err(error);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `policy` says what is limited, `decide` judges counts, `limiter` counts in an isolate, `store` in
//! KV, `charge` is all of it for one request, and `learn` is how limits get here from the database.

use crate::app::Ready;
use crate::crypto::{digest, hex};
use crate::key_value;
use crate::metrics;
use crate::port::{KeyValueError, Platform};

mod charge;
mod decide;
mod learn;
mod limiter;
mod policy;
mod store;

pub use charge::{Charge, charge};
pub use decide::Verdict;
pub(crate) use learn::learn;
pub use limiter::Limiter;
pub use policy::{Algorithm, Limits, Policy, Quota, RateClass};

/// Who is counted: a hash with a key of the installation's own, because neither KV keys nor the log
/// may hold personal data, and there are too few addresses for a hash that anybody can compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller([u8; 16]);

impl Caller {
    /// From any text that identifies the caller, such as a key's hash or an address
    /// ([`super::client`]).
    pub fn new(ready: &Ready, text: &str) -> Self {
        Self::keyed(&ready.keys.callers, text)
    }

    /// From a client address: IPv6 by its /64, which is what one subscriber gets.
    pub fn address(ready: &Ready, address: &str) -> Self {
        Self::new(ready, &super::client::source(address))
    }

    /// Hexadecimal, for keys and the log.
    pub(crate) fn hex(self) -> String {
        hex(&self.0)
    }

    fn keyed(key: &[u8], text: &str) -> Self {
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(digest(&[key, text.as_bytes()])) {
            *to = from;
        }
        Self(short)
    }
}

/// Takes the end of a call of the store. When it failed, the isolate counts alone meanwhile.
fn settle<P: Platform, T>(
    platform: &P,
    operation: &'static str,
    result: Result<T, KeyValueError>,
) -> Option<T> {
    let result = key_value::settle(platform, operation, result);
    if result.is_none() {
        metrics::count(platform, metrics::ratelimit_store_errors());
    }
    result
}

#[cfg(test)]
mod tests;

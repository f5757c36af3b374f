//! The second factor: codes of an authenticator app (TOTP) or by mail, and recovery codes.
//!
//! Every use of a factor is a *claim*: one guarded UPDATE that spends the code and leaves the
//! mark of who spent it. What the code is good for (a session, turning the factor off) asks in
//! the same batch for that mark, so of any number of parallel requests with one code one wins.

mod again;
mod answer;
mod challenge;
mod email;
mod factors;
mod fresh;
mod manage;
mod recovery;
mod routes;
mod seal;
mod store;
mod totp;

pub(super) use again::Again;
pub(super) use challenge::ask;
pub(super) use fresh::Given;
pub use routes::Mfa;
pub(super) use store::{FACTORS_BY_EMAIL, FACTORS_ON, QUERIES, claimed, kinds};

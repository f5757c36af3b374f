//! Access tokens of other issuers, exchanged for a session of ours (RFC 8693).
//!
//! One function verifies them, once for each session, and every route judges one kind of token
//! that it can revoke (docs/decisions/0013-token-exchange.md).

mod exchange;
mod issuer;
mod jose;
mod keys;
mod routes;
mod rsa;

pub use issuer::Issuer;
pub use routes::Exchange;

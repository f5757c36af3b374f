//! Sign-in through other providers: OAuth 2.0 authorization code flow with PKCE, `OpenID` Connect,
//! and tokens of other issuers in exchange for ours.
//!
//! Nothing about a flow is stored: what must come back is in a signed cookie of the browser that
//! started it, and the PKCE verifier and the nonce are derived from its state.

mod account;
pub mod external;
mod flow;
mod profile;
pub mod provider;
mod routes;
mod store;

pub(super) use account::{identities, unlink};
pub use external::Exchange;
pub(crate) use external::Issuer;
pub use routes::Oauth;
pub(crate) use store::QUERIES;

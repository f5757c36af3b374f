//! Sign-in through other providers: OAuth 2.0 authorization code flow with PKCE, and `OpenID` Connect.
//!
//! Nothing about a flow is stored: what must come back is in a signed cookie of the browser that
//! started it, and the PKCE verifier and the nonce are derived from its state.

mod account;
mod flow;
mod profile;
pub mod provider;
mod store;

pub(super) use account::{identities, unlink};
pub(super) use flow::{callback, link, providers, start};
pub(crate) use profile::Endpoints;
pub(crate) use store::QUERIES;

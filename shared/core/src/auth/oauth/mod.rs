//! Sign-in through other providers: OAuth 2.0 authorization code flow with PKCE, and `OpenID` Connect.
//!
//! Nothing about a flow is stored: what must come back is in a signed cookie of the browser that
//! started it, and the PKCE verifier and the nonce are derived from its state.

mod account;
mod flow;
mod profile;
pub mod provider;
mod routes;
mod store;

pub(crate) use profile::Endpoints;
pub use routes::Oauth;
pub(crate) use store::QUERIES;

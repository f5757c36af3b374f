//! Sign-in: accounts, sessions, tokens.

mod account_routes;
mod accounts;
mod breach;
mod closing;
pub(crate) mod cookie;
mod email_change;
mod link;
mod login;
mod mailbox;
mod mfa;
pub mod oauth;
pub mod password;
mod profile_routes;
mod recovery;
pub mod refresh;
mod register;
mod routes;
mod security_txt;
mod session;
mod sessions;
mod store;
mod switch;
pub mod token;

pub use account_routes::Accounts;
pub use mfa::Mfa;
pub use oauth::{Exchange, Oauth};
pub use profile_routes::Profile;
pub(crate) use register::email;
pub use routes::Auth;

/// Every statement of accounts and sessions.
pub(crate) static QUERIES: [&[&crate::sql::Query]; 6] = [
    accounts::QUERIES,
    closing::QUERIES,
    email_change::QUERIES,
    mfa::QUERIES,
    oauth::QUERIES,
    store::QUERIES,
];

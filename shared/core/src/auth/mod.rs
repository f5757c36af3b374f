//! Sign-in: accounts, sessions, tokens.

pub(crate) mod cookie;
mod mailbox;
pub mod password;
pub mod refresh;
mod register;
mod routes;
mod session;
mod sessions;
mod store;
pub mod token;

pub use routes::Auth;
pub(crate) use store::QUERIES;

//! Sign-in: accounts, sessions, tokens.

mod mailbox;
pub mod password;
pub mod refresh;
mod register;
mod routes;
mod session;
mod store;
pub mod token;

pub use routes::Auth;
pub(crate) use store::QUERIES;

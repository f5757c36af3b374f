//! Invitations: a mailed link by which an address becomes a member, once.

mod accept;
mod service;
mod store;

pub(super) use accept::accept;
pub(super) use service::{create, list, resend, revoke};
pub(super) use store::QUERIES;

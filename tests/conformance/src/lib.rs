//! One suite for every adapter of every port.
//!
//! A case is a plain async function with one behaviour, listed once in [`table`]. It runs on
//! native databases in tests/native.rs, and inside workerd and Spin by `tests/probe`. Cases share
//! databases that are never emptied, so each works on ids that it has drawn.

#![forbid(unsafe_code)]

mod bench;
mod database;
mod key_value;
mod outbound;
mod platform;
pub mod table;

pub use bench::{Bench, Failure, Outcome};

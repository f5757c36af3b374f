//! The native adapter: the product in one process, on SQLite or PostgreSQL.
//!
//! It serves tests, laptops and the command-line tool `edgekeep`. It holds no rules and no SQL
//! of the product; [`Platform`] ties the ports together and [`server`] speaks HTTP.

#![forbid(unsafe_code)]

mod database;
mod key_value;
pub mod migrate;
mod outbound;
mod platform;
mod postgres_tls;
pub mod server;
mod tls;
mod wake;

pub use database::{Database, Postgres, Sqlite};
pub use key_value::{Faults, Memory};
pub use outbound::Client;
pub use platform::{Platform, now};
pub use wake::Wakes;

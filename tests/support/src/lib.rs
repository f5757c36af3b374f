//! What several test crates need.

#![forbid(unsafe_code)]

mod postgres;
mod scratch;

pub use postgres::Postgres;
pub use scratch::Scratch;

/// A stack that the tests cannot run on here, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent(pub String);

/// Whether `REQUIRE_STACKS` (such as `workers,spin-sqlite,spin-postgres`) has a stack whose name
/// holds `part`; it must then not be missing.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are configured by the environment"
)]
pub fn is_required(part: &str) -> bool {
    std::env::var("REQUIRE_STACKS")
        .is_ok_and(|list| list.split(',').any(|name| name.contains(part)))
}

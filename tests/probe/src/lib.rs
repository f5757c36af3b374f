//! The conformance suite as a function of its own, inside workerd and Spin; never deployed.
//!
//! `GET /cases` lists the cases, `POST /prepare` makes their tables, `POST /cases/NAME?peer=URL`
//! runs one. The shims are those of any
//! function, so a case gets the platform that a request of the product gets.

mod function;
#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

pub use function::Probe;

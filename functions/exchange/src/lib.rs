//! Tokens of other issuers, exchanged for ours: the deployable of [`edgekeep_core::auth::Exchange`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

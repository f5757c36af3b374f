//! Accounts: registration, confirmation, passwords: the deployable of [`edgekeep_core::auth::Accounts`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

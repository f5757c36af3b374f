//! Multi-factor sign-in: the deployable of [`edgekeep_core::auth::Mfa`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

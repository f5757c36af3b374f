//! Plans and subscriptions: the deployable of [`edgekeep_core::billing::Billing`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

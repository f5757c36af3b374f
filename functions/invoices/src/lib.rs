//! Prices of usage and monthly invoices: the deployable of [`edgekeep_core::invoices::Invoices`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

//! Payments of single sums: the deployable of [`edgekeep_core::payments::Payments`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

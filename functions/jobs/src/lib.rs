//! Background jobs: the deployable of [`edgekeep_core::jobs::Jobs`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

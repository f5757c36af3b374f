//! What belongs to a tenant as a whole: the deployable of [`edgekeep_core::organizations::Organizations`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

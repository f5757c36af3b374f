//! Roles and teams: the deployable of [`edgekeep_core::organizations::Teams`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

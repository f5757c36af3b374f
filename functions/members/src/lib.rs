//! Members, roles and teams: the deployable of [`edgekeep_core::organizations::Members`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

//! Usage totals, meters and entitlements: the deployable of [`edgekeep_core::meters::Meters`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

//! Periodic tasks: the deployable of [`edgekeep_core::scheduler::Scheduler`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

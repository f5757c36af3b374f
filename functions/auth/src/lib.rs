//! Sign-in, sessions and tokens: the deployable of [`edgekeep_core::auth::Auth`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

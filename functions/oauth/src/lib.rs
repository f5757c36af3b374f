//! Sign-in through other providers: the deployable of [`edgekeep_core::auth::Oauth`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

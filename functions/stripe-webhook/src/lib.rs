//! Events from Stripe: the deployable of [`edgekeep_core::stripe::StripeWebhook`].

#[cfg(all(target_family = "wasm", target_os = "wasi"))]
mod spin;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

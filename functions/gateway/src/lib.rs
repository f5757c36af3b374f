//! The one listener of `wrangler dev` and of workers.dev: hands each path to the function that
//! owns it. On a zone the functions have routes of their own and this is not in the way, so it
//! adds nothing that a function needs.

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod worker;

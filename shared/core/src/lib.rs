//! Edgekeep: sign-in, usage metering, Stripe billing, jobs and health for the edge.
//!
//! This crate is the product. It knows no platform: the adapters in `shared/workers`,
//! `shared/spin` and `shared/native` implement the ports in [`port`], and a deployable in
//! `functions/` ties one adapter to one [`http::Function`]. Start reading at
//! [`http::serve`], which is the whole path of a request.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        reason = "a test may panic: that is how it fails"
    )
)]
#![expect(
    async_fn_in_trait,
    reason = "guests have one thread: the ports need no Send (docs/decisions/0002)"
)]

pub mod app;
pub mod audit;
pub mod auth;
pub mod billing;
pub mod cache;
pub mod config;
pub mod crypto;
pub mod fields;
pub mod functions;
pub mod generations;
pub mod guard;
pub mod health;
pub mod http;
pub mod id;
pub mod invoices;
pub mod jobs;
pub(crate) mod key_value;
pub(crate) mod log;
pub mod mail;
pub mod meters;
pub mod metrics;
pub mod organizations;
pub mod outbound;
pub mod outbox;
pub mod payments;
pub mod port;
pub mod reference;
pub mod resources;
pub mod scheduler;
pub mod sql;
pub mod stripe;
pub mod tenancy;
pub mod time;
pub mod tracking;
pub(crate) mod trials;
pub mod usage;

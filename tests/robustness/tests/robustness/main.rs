//! What happens when clients, databases and stores misbehave.

/// The acceptance suite's authenticator app.
#[path = "../../../acceptance/src/authenticator.rs"]
mod authenticator;

mod accounts;
mod audit;
mod breakers;
mod clients;
mod denied;
mod exchange;
mod faults;
mod faults_of_accounts;
mod faults_of_factors;
mod faults_of_organizations;
mod features;
mod health;
mod idempotency;
mod invoices;
mod jobs;
mod keys;
mod limit_stores;
mod limits;
mod lists;
mod mails;
mod metrics;
mod odd_requests;
mod outbox;
mod passwords;
mod payments;
mod races;
mod resources;
mod stripe;
mod stripe_calls;
mod stripe_events;
mod stripe_histories;
mod stripe_setup;
mod tenancy;
mod tracking;
mod trials;
mod usage;

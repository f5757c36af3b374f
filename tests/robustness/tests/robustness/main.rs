//! What happens when clients, databases and stores misbehave.

mod accounts;
mod audit;
mod clients;
mod denied;
mod faults;
mod features;
mod health;
mod jobs;
mod keys;
mod metrics;
mod odd_requests;
mod passwords;
mod stripe;
mod tenancy;

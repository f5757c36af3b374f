//! Prices of usage, and the invoices that are made of it every month (docs/invoices.md).

mod amount;
mod make;
mod page;
mod prices;
mod read;
mod routes;
mod store;

pub(crate) use make::due;
pub use routes::Invoices;
pub(crate) use store::QUERIES;

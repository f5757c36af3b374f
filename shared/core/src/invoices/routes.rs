//! The invoices function's table.

use super::{prices, read};
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;

/// Invoices for usage, and its prices.
#[derive(Debug)]
pub struct Invoices;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// The tenant's invoices.
    List,
    /// What the present month comes to so far.
    Upcoming,
    /// One of them with its lines.
    Get,
    /// The same as a page.
    Html,
    /// Say what became of one.
    Settle,
    /// What usage costs.
    Prices,
    /// Set a price.
    PutPrice,
}

const READ: Access = Access::Member(Permission::BillingRead);

impl Function for Invoices {
    type Action = Action;
    const NAME: &'static str = "invoices";
    const ROUTES: &'static [Route<Action>] = &[
        Route::get("/api/v1/invoices", "invoices.list", Action::List, READ),
        Route::get(
            "/api/v1/invoices/upcoming",
            "invoices.upcoming",
            Action::Upcoming,
            READ,
        ),
        Route::get("/api/v1/invoices/:id", "invoices.get", Action::Get, READ),
        Route::get(
            "/api/v1/invoices/:id/html",
            "invoices.html",
            Action::Html,
            READ,
        ),
        Route::put(
            "/api/v1/invoices/:id/status",
            "invoices.settle",
            Action::Settle,
            Access::Service,
        ),
        Route::get(
            "/api/v1/prices",
            "invoices.prices",
            Action::Prices,
            Access::Public,
        ),
        Route::put(
            "/api/v1/prices",
            "invoices.set_price",
            Action::PutPrice,
            Access::Service,
        ),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::List => read::list(cx).await,
            Action::Upcoming => read::upcoming(cx).await,
            Action::Get => read::get(cx).await,
            Action::Html => read::html(cx).await,
            Action::Settle => read::settle(cx).await,
            Action::Prices => prices::list(cx).await,
            Action::PutPrice => prices::put(cx).await,
        }
    }
}

//! The payments function's table.

use super::machine::{COMPLETED, CONFIRMED};
use super::{cancel, change, create, products, read};
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::http::{Access, Context, Function, Idempotency, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::Permission;

/// Payments of single sums.
#[derive(Debug)]
pub struct Payments;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// What can be paid for.
    Products,
    /// Set a product.
    PutProduct,
    /// The caller's payments.
    List,
    /// Begin one.
    Create,
    /// One of them.
    Get,
    /// Change its metadata.
    Update,
    /// End it, and give back what was paid.
    Cancel,
    /// Say that what was paid for is granted.
    Confirm,
    /// Say that it was delivered.
    Complete,
}

const READ: Access = Access::Member(Permission::PaymentsRead);
const WRITE: Access = Access::Member(Permission::PaymentsWrite);
const ALL: Access = Access::Member(Permission::PaymentsAll);

impl Function for Payments {
    type Action = Action;
    const NAME: &'static str = "payments";
    const ROUTES: &'static [Route<Action>] = &[
        Route::get(
            "/api/v1/payments/products",
            "payments.products",
            Action::Products,
            READ,
        )
        .feature(Feature::Billing),
        Route::put(
            "/api/v1/payments/products",
            "payments.set_product",
            Action::PutProduct,
            Access::Service,
        )
        .feature(Feature::Billing),
        Route::get("/api/v1/payments", "payments.list", Action::List, READ)
            .feature(Feature::Billing),
        Route::post("/api/v1/payments", "payments.create", Action::Create, WRITE)
            .feature(Feature::Billing)
            .rate(RateClass::Payments)
            .idempotency(Idempotency::Required),
        Route::get("/api/v1/payments/:id", "payments.get", Action::Get, READ)
            .feature(Feature::Billing),
        Route::patch(
            "/api/v1/payments/:id",
            "payments.update",
            Action::Update,
            WRITE,
        )
        .feature(Feature::Billing),
        Route::delete(
            "/api/v1/payments/:id",
            "payments.cancel",
            Action::Cancel,
            WRITE,
        )
        .feature(Feature::Billing)
        .rate(RateClass::Payments)
        .idempotency(Idempotency::Required),
        Route::post(
            "/api/v1/payments/:id/confirm",
            "payments.confirm",
            Action::Confirm,
            ALL,
        )
        .feature(Feature::Billing)
        .idempotency(Idempotency::Required),
        Route::post(
            "/api/v1/payments/:id/complete",
            "payments.complete",
            Action::Complete,
            ALL,
        )
        .feature(Feature::Billing)
        .idempotency(Idempotency::Required),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::Products => products::list(cx).await,
            Action::PutProduct => products::put(cx).await,
            Action::List => read::list(cx).await,
            Action::Create => create::create(cx).await,
            Action::Get => read::get(cx).await,
            Action::Update => change::update(cx).await,
            Action::Cancel => cancel::cancel(cx).await,
            Action::Confirm => change::advance(cx, CONFIRMED, "payment.confirm").await,
            Action::Complete => change::advance(cx, COMPLETED, "payment.complete").await,
        }
    }
}

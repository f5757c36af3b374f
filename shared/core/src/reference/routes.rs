//! The reference function's table.

use super::documents;
use crate::http::{Access, Context, Function, Interrupt, Reply, Route};
use crate::port::Platform;

/// The API's description.
#[derive(Debug)]
pub struct Reference;

/// What the routes do.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// For machines.
    OpenApi,
    /// For people.
    Page,
}

impl Function for Reference {
    type Action = Action;
    const NAME: &'static str = "reference";
    const ROUTES: &'static [Route<Action>] = &[
        Route::get(
            "/openapi.json",
            "docs.openapi",
            Action::OpenApi,
            Access::Public,
        ),
        Route::get("/docs", "docs.page", Action::Page, Access::Public),
    ];

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        match action {
            Action::OpenApi => Ok(documents::openapi(cx)?),
            Action::Page => Ok(documents::page(cx)?),
        }
    }
}

//! The API's own description: docs/openapi.json for machines, docs/api.md and docs/api.html for
//! people.
//!
//! Paths, methods, policies, limits and the errors that follow from them come from the route
//! tables; bodies, examples and words come from docs/openapi/*.yaml. A route without its words, or
//! words without their route, is an error.

mod document;
mod errors;
mod node;
mod operation;
mod pages;
mod reference;
mod sample;
mod schema;
mod shared;
mod source;

use crate::Page;
use source::Source;

/// The three files.
pub(crate) fn pages() -> Result<[Page; 3], Vec<String>> {
    let source = Source::read().map_err(|why| vec![why])?;
    let operations = operation::all(&source)?;
    let document = document::text(&source, &operations).map_err(|why| vec![why])?;
    let blocks = reference::blocks(&source, &operations);
    let from = "the route tables in shared/core/src/*/routes.rs and docs/openapi/*.yaml";
    let body = pages::markdown(&blocks);
    Ok([
        Page {
            name: "openapi.json",
            text: document,
        },
        Page::new("api.md", "API reference", from, &body),
        Page {
            name: "api.html",
            text: pages::html(&blocks),
        },
    ])
}

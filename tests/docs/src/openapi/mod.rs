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

#[cfg(test)]
mod tests {
    use super::node::Node;
    use super::*;

    /// What the generator says of the files after a change to the first entry of the first one.
    fn after(change: impl FnOnce(&mut String, &mut Node)) -> String {
        let mut source = Source::read().unwrap();
        let (name, entry) = &mut source.domains[0].operations[0];
        change(name, entry);
        operation::all(&source).unwrap_err().join("\n")
    }

    #[test]
    fn a_route_without_words_and_words_without_a_route_are_errors() {
        let said = after(|name, _| name.push('x'));
        assert!(said.contains("auth.registerx: there is no route"), "{said}");
        let said = said.lines().last().unwrap();
        let missing = "auth.register (POST /api/v1/auth/register) is not described";
        assert!(said.starts_with(missing), "{said}");
    }

    #[test]
    fn what_is_misspelt_is_an_error() {
        let said = after(|_, entry| entry.put("sumary", Node::text("x")));
        assert!(said.contains("`sumary` is no word"), "{said}");
        let said = after(|_, entry| entry.put("errors", Node::texts(["NO_SUCH"])));
        assert!(said.contains("no error code NO_SUCH"), "{said}");
        let said = after(|_, entry| entry.put("errors", Node::texts(["RATE_LIMITED"])));
        assert!(said.contains("RATE_LIMITED goes without saying"), "{said}");
        let said = after(|_, entry| entry.put("path", Node::map([("id", Node::text("x"))])));
        assert!(said.contains("the path has no `id`"), "{said}");
        let body = Node::map([("fields", Node::map([("a", Node::text("sting"))]))]);
        let said = after(|_, entry| entry.put("body", body));
        assert!(said.contains("a: there is no kind `sting`") || said.contains("needs an example"));
    }
}

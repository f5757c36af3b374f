//! Pages of `docs/` that are made from the core's own tables, so that they cannot drift.
//!
//! `cargo run -p edgekeep-docs` writes them; the test of this crate fails when one on disk is not
//! what the tables say.

#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "pages are made on a developer's machine, where a short text counts more than an allocation"
)]

mod config;
mod errors;
mod metrics;
mod openapi;
mod outbox;
mod retention;
mod roles;
mod table;

use std::path::PathBuf;

/// One made page.
#[derive(Debug)]
pub struct Page {
    /// Its name in `docs/`.
    pub name: &'static str,
    /// All of it.
    pub text: String,
}

impl Page {
    /// `body` under a title, with the note that says where the page comes from.
    fn new(name: &'static str, title: &str, source: &str, body: &[String]) -> Self {
        let head = format!(
            "# {title}\n\n<!-- Made from {source} by `cargo run -p edgekeep-docs`: change it there. -->\n"
        );
        let text = format!("{head}\n{}\n", body.join("\n\n"));
        Self { name, text }
    }

    /// Where it lies.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).join(self.name)
    }
}

/// Every made page.
///
/// # Errors
/// What is missing or wrong in docs/openapi/*.yaml.
pub fn pages() -> Result<Vec<Page>, Vec<String>> {
    let mut all = vec![
        config::page(),
        errors::page(),
        roles::page(),
        retention::page(),
        metrics::page(),
        outbox::page(),
    ];
    all.extend(openapi::pages()?);
    Ok(all)
}

//! Pages of `docs/` that are made from the core's own tables, so that they cannot drift.
//!
//! `cargo run -p edgekeep-docs` writes them; the test of this crate fails when one on disk is not
//! what the tables say.

mod config;
mod errors;
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
pub fn pages() -> [Page; 4] {
    [
        config::page(),
        errors::page(),
        roles::page(),
        retention::page(),
    ]
}

//! Puts the migrations into the tool: lists the files of `migrations/` as Rust constants.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Error, Write as _};
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let root = from_cargo("CARGO_MANIFEST_DIR")?
        .join("../../migrations")
        .canonicalize()?;
    writeln!(io::stdout(), "cargo:rerun-if-changed={}", root.display())?;
    let mut code = String::new();
    for (constant, directory) in [("SQLITE", "sqlite"), ("POSTGRES", "postgres")] {
        let list = migrations(&root.join(directory))?;
        let _ = writeln!(
            code,
            "pub(super) const {constant}: &[Migration] = &[\n{list}];"
        );
    }
    let seed = include(&root.join("seed.sql"));
    let _ = writeln!(code, "pub(super) const SEED: &str = {seed};");
    fs::write(from_cargo("OUT_DIR")?.join("migrations.rs"), code)
}

/// A path that cargo gives to build scripts.
fn from_cargo(name: &str) -> io::Result<PathBuf> {
    let value = std::env::var_os(name).ok_or_else(|| Error::other(format!("{name} is not set")))?;
    Ok(PathBuf::from(value))
}

/// The entries of one dialect, in the order of their names.
fn migrations(directory: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
    files.sort();
    let mut list = String::new();
    for up in files {
        let name = up
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || !name.bytes().all(sound) {
            return Err(Error::other(format!(
                "{}: name it like 0002_what_it_does.sql",
                up.display()
            )));
        }
        let down = directory.join("down").join(format!("{name}.sql"));
        if !down.is_file() {
            return Err(Error::other(format!(
                "{} is missing: every migration has a way back",
                down.display()
            )));
        }
        let (up, down) = (include(&up), include(&down));
        let _ = writeln!(
            list,
            "Migration {{ name: {name:?}, up: {up}, down: {down} }},"
        );
    }
    Ok(list)
}

fn include(path: &Path) -> String {
    format!("include_str!({:?})", path.to_string_lossy())
}

//! Writes the made pages of `docs/`.

use std::fs;
use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    for page in edgekeep_docs::pages() {
        fs::write(page.path(), &page.text)?;
        writeln!(io::stdout(), "wrote docs/{}", page.name)?;
    }
    Ok(())
}

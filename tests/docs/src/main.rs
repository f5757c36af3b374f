//! Writes the made pages of `docs/`.

use std::fs;
use std::io::{self, Write as _};
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    let pages = match edgekeep_docs::pages() {
        Ok(pages) => pages,
        Err(problems) => {
            writeln!(io::stderr(), "{}", problems.join("\n"))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    for page in pages {
        fs::write(page.path(), &page.text)?;
        writeln!(io::stdout(), "wrote docs/{}", page.name)?;
    }
    Ok(ExitCode::SUCCESS)
}

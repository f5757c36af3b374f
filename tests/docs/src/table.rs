//! Markdown tables.

/// A table; a pipe in a cell would end the cell.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | ")).replace("  |", " |");
    let mut lines = vec![
        line(head.iter().map(ToString::to_string).collect()),
        format!("|{}", "---|".repeat(head.len())),
    ];
    lines.extend(rows.iter().map(|cells| {
        let escaped = cells.iter().map(|cell| cell.replace('|', "\\|"));
        line(escaped.collect())
    }));
    lines.join("\n")
}

/// A text as code.
pub(crate) fn code(text: &str) -> String {
    format!("`{text}`")
}

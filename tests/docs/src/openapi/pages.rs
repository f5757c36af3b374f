//! docs/api.md and docs/api.html

use super::reference::Block;
use crate::table::table;

/// Markdown of the reference, after the title.
pub(crate) fn markdown(blocks: &[Block]) -> Vec<String> {
    let shown = blocks.iter().map(|block| match block {
        Block::Domain(anchor, title) => format!("<a id=\"{anchor}\"></a>\n\n## {title}"),
        Block::Part(anchor, title) => format!("<a id=\"{anchor}\"></a>\n\n### {title}"),
        Block::Call(method, path) => format!("`{method} {path}`"),
        Block::Text(text) => text.clone(),
        Block::Table(head, rows) => table(head, rows),
        Block::Sample(text) => format!("```\n{text}\n```"),
    });
    shown.collect()
}

/// The page that `/docs` serves: one file that needs nothing else, and no script.
pub(crate) fn html(blocks: &[Block]) -> String {
    let mut contents = String::new();
    let mut body = String::new();
    let mut open = false;
    for block in blocks {
        match block {
            Block::Domain(anchor, title) => {
                let title = escape(title);
                let end = if open { "</ul>" } else { "" };
                open = true;
                contents.push_str(&format!(
                    "{end}\n<b><a href=\"#{anchor}\">{title}</a></b><ul>"
                ));
                body.push_str(&format!("\n<h2 id=\"{anchor}\">{title}</h2>"));
            }
            Block::Part(anchor, title) => {
                let title = escape(title);
                contents.push_str(&format!("\n<li><a href=\"#{anchor}\">{title}</a>"));
                body.push_str(&format!("\n<h3 id=\"{anchor}\">{title}</h3>"));
            }
            Block::Call(method, path) => {
                body.push_str(&format!(
                    "\n<p class=\"call\"><b>{method}</b> {}</p>",
                    escape(path)
                ));
            }
            Block::Text(text) => body.push_str(&format!("\n<p>{}</p>", inline(text))),
            Block::Sample(text) => body.push_str(&format!("\n<pre>{}</pre>", escape(text))),
            Block::Table(head, rows) => {
                let head: String = head.iter().map(|cell| format!("<th>{cell}")).collect();
                body.push_str(&format!("\n<table><tr>{head}"));
                for row in rows {
                    let row: String = row
                        .iter()
                        .map(|cell| format!("<td>{}", inline(cell)))
                        .collect();
                    body.push_str(&format!("\n<tr>{row}"));
                }
                body.push_str("\n</table>");
            }
        }
    }
    let end = if open { "</ul>" } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Edgekeep API</title>\n\
         <style>{STYLE}</style>\n<nav><a href=\"?theme=light\">light</a> \
         <a href=\"?theme=dark\">dark</a> <a href=\"/openapi.json\">openapi.json</a>{contents}{end}\n\
         </nav>\n<main>\n<h1>Edgekeep API</h1>{body}\n</main>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Texts with `code` and [links](#to).
fn inline(text: &str) -> String {
    let escaped = escape(text);
    let mut out = String::new();
    for (index, piece) in escaped.split('`').enumerate() {
        if index % 2 == 1 {
            out.push_str(&format!("<code>{piece}</code>"));
        } else {
            out.push_str(&links(piece));
        }
    }
    out
}

fn links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((name, (target, tail))) = after
            .split_once("](")
            .and_then(|(name, tail)| Some((name, tail.split_once(')')?)))
        else {
            break;
        };
        out.push_str(&format!("{before}<a href=\"{target}\">{name}</a>"));
        rest = tail;
    }
    out.push_str(rest);
    out
}

const STYLE: &str = "
:root{color-scheme:light dark;--b:#fff;--t:#1b1f24;--m:#59636e;--l:#d5dbe1;--s:#f3f5f7;--a:#0757b8}
@media(prefers-color-scheme:dark){:root:not([data-theme=light]){--b:#12161b;--t:#e3e8ee;--m:#9aa5b1;--l:#323b45;--s:#1b2129;--a:#79b4ff}}
:root[data-theme=dark]{color-scheme:dark;--b:#12161b;--t:#e3e8ee;--m:#9aa5b1;--l:#323b45;--s:#1b2129;--a:#79b4ff}
:root[data-theme=light]{color-scheme:light}
body{margin:0;font:16px/1.5 system-ui,sans-serif;background:var(--b);color:var(--t)}
a{color:var(--a)}
nav{padding:1rem;font-size:.875rem}
nav ul{margin:.25rem 0 .75rem;padding-left:1rem}
nav b{display:block;margin-top:.75rem}
main{padding:1rem;max-width:60rem;min-width:0}
h2{margin-top:3rem;border-bottom:1px solid var(--l)}
h3{margin-top:2.5rem}
code,pre,.call{font:.875rem/1.5 ui-monospace,monospace}
pre,.call{background:var(--s);padding:.5rem .75rem;overflow:auto}
code{background:var(--s);padding:0 .2rem}
table{border-collapse:collapse;font-size:.875rem;display:block;overflow:auto}
th,td{border-bottom:1px solid var(--l);padding:.25rem .75rem .25rem 0;text-align:left;vertical-align:top}
th{color:var(--m);font-weight:500}
@media(min-width:60rem){body{display:grid;grid-template-columns:18rem 1fr}nav{position:sticky;top:0;height:100vh;overflow:auto;box-sizing:border-box;border-right:1px solid var(--l)}}
";

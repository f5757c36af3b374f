//! An invoice as a page: no script, nothing from elsewhere, and paper in mind.

use core::fmt::Write as _;

use super::amount::money;
use super::make::Line;
use super::read::Head;
use crate::crypto::fingerprint;
use crate::mail::escaped;
use crate::time::Millis;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;\
color:#1b1b1f}table{width:100%;border-collapse:collapse;margin:2rem 0}th,td{padding:.4rem;border-bottom:1px solid #ccc;\
text-align:left}.n{text-align:right;font-variant-numeric:tabular-nums}dt{color:#555}dl{display:grid;\
grid-template-columns:8rem 1fr;gap:.2rem}dd{margin:0}";

/// The page, and what it may load: its own style.
pub(super) fn write(head: &Head, lines: &[Line], tenant: &str) -> (String, String) {
    let number = &head.number;
    let date = Millis(head.created_at).rfc3339();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Invoice {number}</title>\
         <style>{STYLE}</style></head>\n<body>\n<h1>Invoice {number}</h1>\n<dl>\
         <dt>For</dt><dd>{}</dd><dt>Month</dt><dd>{}</dd><dt>Date</dt><dd>{}</dd>\
         <dt>Status</dt><dd>{}</dd></dl>\n<table>\n<thead><tr><th scope=\"col\">Usage</th><th scope=\"col\">Month</th>\
         <th scope=\"col\" class=\"n\">Quantity</th><th scope=\"col\" class=\"n\">Price</th>\
         <th scope=\"col\" class=\"n\">Amount</th></tr></thead>\n<tbody>\n",
        escaped(tenant),
        head.month,
        date.get(..10).unwrap_or_default(),
        head.status,
    );
    for line in lines {
        // Writing into a text cannot fail.
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escaped(&line.meter),
            line.month,
            line.quantity,
            unit(line, &head.currency),
            money(line.amount, &head.currency),
        );
    }
    let total = money(head.total, &head.currency);
    let _ = write!(
        html,
        "</tbody>\n<tfoot><tr><th scope=\"row\" colspan=\"4\">Total</th><td class=\"n\"><strong>{total}</strong></td></tr></tfoot>\n\
         </table>\n</body>\n</html>\n"
    );
    let hash = fingerprint(STYLE).replace('-', "+").replace('_', "/");
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}='; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    (html, policy)
}

fn unit(line: &Line, currency: &str) -> String {
    let mut text = money(line.price.unit_amount, currency);
    if line.price.per_units > 1 {
        let _ = write!(text, " for {}", line.price.per_units);
    }
    if line.price.included > 0 {
        let _ = write!(text, ", {} a month free", line.price.included);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invoices::amount::Price;

    /// Rows: H-31
    #[test]
    fn the_page_says_what_is_owed_and_escapes_names() {
        let head = Head {
            id: "inv_1".to_owned(),
            number: "INV-000007".to_owned(),
            month: "2026-10".to_owned(),
            status: "open".to_owned(),
            currency: "usd".to_owned(),
            total: 1_234,
            created_at: 1_795_170_000_000,
        };
        let line = Line {
            meter: "api_calls".to_owned(),
            month: "2026-10".to_owned(),
            quantity: 247_000,
            price: Price {
                unit_amount: 5,
                per_units: 1_000,
                included: 200,
            },
            amount: 1_234,
        };
        let (html, policy) = write(&head, &[line], "<script>Ada & Co</script>");
        let body = html.split_once("<body>").unwrap().1;
        assert_eq!(body, include_str!("page.html"));
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
    }
}

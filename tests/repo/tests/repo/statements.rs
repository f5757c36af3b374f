//! Every statement of the product, against both migrated schemas.

use std::collections::BTreeSet;

use edgekeep_core::functions;
use edgekeep_core::port::Dialect;
use edgekeep_core::sql::{Query, to_dollar_placeholders, to_signed_placeholders};
use libtest_mimic::{Failed, Trial};
use tokio_postgres::types::Type;

use super::{OnPostgres, databases, none};

/// What the databases understand differently, or some not at all (docs/sql.md).
const BANNED: [&str; 14] = [
    " like ",
    " ilike ",
    "now()",
    "datetime(",
    "strftime(",
    "current_timestamp",
    "for update",
    "is distinct from",
    "autoincrement",
    "serial",
    "greatest(",
    "least(",
    "glob ",
    "insert or ",
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("statements::names_are_unique", names),
        Trial::test("statements::placeholders_are_plain", placeholders),
        Trial::test("statements::text_is_portable", portable),
        // Rows: M-03 M-08
        Trial::test("statements::prepare_on_sqlite", sqlite),
    ]
}

pub(crate) fn on_postgres() -> Vec<OnPostgres> {
    // Rows: M-03 M-08 M-23
    vec![("statements::prepare_on_postgres", |server| {
        Box::pin(async move {
            let client = databases::postgres(server).await?;
            let mut findings = Vec::new();
            for query in functions::queries() {
                let text = to_dollar_placeholders(query.text(Dialect::Postgres));
                match client.prepare(&text).await {
                    Err(error) => {
                        let why = error
                            .as_db_error()
                            .map_or(error.to_string(), ToString::to_string);
                        findings.push(format!("{}: {why}", query.name));
                    }
                    Ok(statement) => {
                        // The adapters bind nothing else; both read INTEGER literals too.
                        let odd = statement
                            .params()
                            .iter()
                            .enumerate()
                            .filter(|(_, ty)| !matches!(**ty, Type::INT8 | Type::TEXT));
                        findings.extend(odd.map(|(index, ty)| {
                            format!("{}: parameter {} is {ty}", query.name, index + 1)
                        }));
                        let odd = statement.columns().iter().filter(|column| {
                            !matches!(*column.type_(), Type::INT8 | Type::INT4 | Type::TEXT)
                        });
                        findings.extend(odd.map(|column| {
                            format!(
                                "{}: column {} is {}",
                                query.name,
                                column.name(),
                                column.type_()
                            )
                        }));
                    }
                }
            }
            none("PostgreSQL refuses", &findings)
        })
    })]
}

/// Both texts of a statement, once if they are the same.
fn texts(query: &Query) -> BTreeSet<&'static str> {
    BTreeSet::from([query.text(Dialect::Sqlite), query.text(Dialect::Postgres)])
}

fn names() -> Result<(), Failed> {
    let mut seen = BTreeSet::new();
    let odd = |name: &&str| {
        let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
        !name.chars().all(sound) || name.split('.').count() != 2
    };
    let queries = functions::queries();
    assert!(queries.len() > 50, "{} statements", queries.len());
    let names = queries.iter().map(|query| query.name);
    let findings = names
        .filter(|name| !seen.insert(*name) || odd(name))
        .map(str::to_owned);
    none(
        "twice, or not domain.what_it_does",
        &findings.collect::<Vec<_>>(),
    )
}

/// `?1` and on without gaps, in both texts alike, never inside a literal; nothing that the
/// rewriting to `$1` would hit or make.
fn placeholders() -> Result<(), Failed> {
    let mut findings = Vec::new();
    for query in functions::queries() {
        let mut sets = BTreeSet::new();
        for text in texts(query) {
            let mut numbers = BTreeSet::new();
            for (index, piece) in text.split('\'').enumerate() {
                if index % 2 == 1 && piece.contains(['?', '$']) {
                    findings.push(format!("{}: a placeholder inside '{piece}'", query.name));
                }
                for part in piece.split('?').skip(1) {
                    let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
                    numbers.insert(digits.parse::<usize>().unwrap_or(0));
                }
            }
            let most = numbers.len();
            if numbers.iter().copied().ne(1..=most) || most > 100 {
                findings.push(format!("{}: placeholders {numbers:?}", query.name));
            }
            if text.contains('$') || text.contains("--") || text.contains("/*") {
                findings.push(format!("{}: a dollar sign or a comment", query.name));
            }
            sets.insert(numbers);
        }
        if sets.len() > 1 {
            findings.push(format!(
                "{}: the dialects take different parameters",
                query.name
            ));
        }
    }
    none("placeholders", &findings)
}

fn portable() -> Result<(), Failed> {
    let mut findings = Vec::new();
    for query in functions::queries() {
        for text in texts(query) {
            let plain = text
                .to_lowercase()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            let banned = BANNED.iter().filter(|banned| plain.contains(**banned));
            findings.extend(banned.map(|banned| format!("{}: {banned}", query.name)));
            if text.trim_end().contains(';') {
                findings.push(format!("{}: more than one statement", query.name));
            }
            if text.len() > 100_000 {
                findings.push(format!("{}: longer than D1 takes", query.name));
            }
        }
    }
    none("not in the common subset", &findings)
}

fn sqlite() -> Result<(), Failed> {
    let (_scratch, connection) = databases::sqlite()?;
    let mut findings = Vec::new();
    for query in functions::queries() {
        let text = query.text(Dialect::Sqlite);
        if let Err(error) = connection.prepare(&to_signed_placeholders(text)) {
            findings.push(format!("{}, as D1 gets it: {error}", query.name));
        }
        let prepared = match connection.prepare(text) {
            Ok(prepared) => prepared,
            Err(error) => {
                findings.push(format!("{}: {error}", query.name));
                continue;
            }
        };
        // D1 gives the rows of a batch as JavaScript objects: a name that comes twice is lost,
        // and names that are numbers come first.
        let columns: Vec<&str> = prepared.column_names().collect();
        let names: BTreeSet<&str> = columns.iter().copied().collect();
        let numbers = names
            .iter()
            .any(|name| name.starts_with(|c: char| c.is_ascii_digit()));
        if names.len() < columns.len() || numbers && columns.len() > 1 {
            findings.push(format!("{}: columns {:?}", query.name, columns));
        }
    }
    none("SQLite refuses", &findings)
}

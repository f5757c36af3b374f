//! Query plans: no statement reads a whole table that grows.

use edgekeep_core::functions;
use edgekeep_core::port::Dialect;
use edgekeep_core::sql::{to_dollar_placeholders, to_signed_placeholders};
use libtest_mimic::{Failed, Trial};
use rusqlite::Connection;

use super::{OnPostgres, databases, none};

/// Tables with as many rows as there are plans, prices, products, tasks, flags or series, or as a minute brings.
const SMALL: [&str; 7] = [
    "plans",
    "prices",
    "products",
    "scheduler_tasks",
    "feature_flags",
    "metrics",
    "audit_pending",
];

/// Statements on the path of nearly every request; the others are checked all the same.
const HOT: [&str; 4] = [
    "accounts.by_email",
    "identity.session",
    "identity.api_key",
    "jobs.due",
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        // Rows: AC-10
        Trial::test("plans::hot_statements_use_an_index_on_sqlite", hot),
        Trial::test("plans::no_statement_scans_a_table_on_sqlite", sqlite),
    ]
}

pub(crate) fn on_postgres() -> Vec<OnPostgres> {
    // Rows: AC-10
    vec![("plans::no_statement_scans_a_table_on_postgres", |server| {
        Box::pin(async move {
            let client = databases::postgres(server).await?;
            // Tables of a test are small, so only a plan without any index still reads them whole.
            let settings = "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan";
            client.batch_execute(settings).await?;
            let mut findings = Vec::new();
            for query in functions::queries() {
                let text = to_dollar_placeholders(query.text(Dialect::Postgres));
                // That every statement prepares is another test's.
                let Ok(prepared) = client.prepare(&text).await else {
                    continue;
                };
                let params = prepared.params().len();
                let values = vec!["NULL"; params].join(", ");
                let call = if params == 0 {
                    "one".to_owned()
                } else {
                    format!("one ({values})")
                };
                client
                    .batch_execute(&format!("DEALLOCATE ALL; PREPARE one AS {text}"))
                    .await?;
                for message in client
                    .simple_query(&format!("EXPLAIN EXECUTE {call}"))
                    .await?
                {
                    let tokio_postgres::SimpleQueryMessage::Row(row) = message else {
                        continue;
                    };
                    let line = row.get(0).unwrap_or_default();
                    let scanned = line.split("Seq Scan on ").nth(1);
                    let table = scanned
                        .and_then(|rest| rest.split(' ').next())
                        .unwrap_or_default();
                    if scanned.is_some() && !SMALL.contains(&table) {
                        findings.push(format!("{}: {}", query.name, line.trim()));
                    }
                }
            }
            none("read a whole table", &findings)
        })
    })]
}

/// The steps of a plan.
fn plan(connection: &Connection, text: &str) -> Result<Vec<String>, Failed> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}"))?;
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next()? {
        steps.push(row.get(3)?);
    }
    Ok(steps)
}

fn hot() -> Result<(), Failed> {
    let (_scratch, connection) = databases::sqlite()?;
    let queries = functions::queries();
    for name in HOT {
        let query = queries
            .iter()
            .find(|query| query.name == name)
            .ok_or(name)?;
        let steps = plan(&connection, query.text(Dialect::Sqlite))?;
        let searches = steps
            .iter()
            .filter(|step| step.starts_with("SEARCH"))
            .count();
        assert!(searches > 0, "{name}: {steps:?}");
        assert!(
            !steps.iter().any(|step| step.starts_with("SCAN")),
            "{name}: {steps:?}"
        );
    }
    Ok(())
}

fn sqlite() -> Result<(), Failed> {
    let (_scratch, connection) = databases::sqlite()?;
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'";
    let tables = super::catalog::column(&connection, tables)?;
    let mut findings = Vec::new();
    for query in functions::queries() {
        let text = query.text(Dialect::Sqlite);
        let steps = plan(&connection, text)?;
        if plan(&connection, &to_signed_placeholders(text))? != steps {
            findings.push(format!("{}: D1 has another plan than SQLite", query.name));
        }
        for step in steps {
            // What is scanned by another name is an alias, a subquery or the JSON of a parameter.
            let scanned = step
                .strip_prefix("SCAN ")
                .and_then(|rest| rest.split(' ').next());
            let table = scanned.map(|name| resolve(text, name)).unwrap_or_default();
            // An INSERT lists the children of its table, which it skips while nothing is violated.
            let skipped = text.trim_start().starts_with("INSERT") && !text.contains(table);
            if tables.contains(table) && !SMALL.contains(&table) && !skipped {
                findings.push(format!("{}: {step}", query.name));
            }
        }
    }
    none("read a whole table, or read otherwise on D1", &findings)
}

/// The table behind a name: `FROM jobs j` makes `j` a name of `jobs`.
fn resolve<'a>(text: &'a str, name: &'a str) -> &'a str {
    let words: Vec<&str> = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let declared = words.windows(3).find_map(|window| match window {
        [keyword, table, alias]
            if *alias == name && ["FROM", "JOIN", "UPDATE", "INTO"].contains(keyword) =>
        {
            Some(*table)
        }
        _ => None,
    });
    declared.unwrap_or(name)
}

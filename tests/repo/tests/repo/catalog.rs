//! The schema as the databases themselves describe it, one line a fact, in the same words for
//! both dialects.

use std::collections::BTreeSet;

use libtest_mimic::Failed;
use rusqlite::Connection;
use tokio_postgres::Client;

const SQLITE: &str = "
    WITH t AS (
        SELECT name, sql FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'edgekeep_migrations'
    )
    SELECT 'column ' || t.name || '.' || c.name || ' #' || c.cid || ' ' || lower(c.type)
        || CASE c.\"notnull\" WHEN 1 THEN ' not null' ELSE '' END
        || COALESCE(' default ' || c.dflt_value, '')
    FROM t JOIN pragma_table_info(t.name) c
    UNION ALL
    SELECT 'primary key ' || t.name || ' (' || (
        SELECT group_concat(name) FROM
            (SELECT name FROM pragma_table_info(t.name) WHERE pk > 0 ORDER BY pk)) || ')'
    FROM t
    UNION ALL
    SELECT CASE i.origin WHEN 'u' THEN 'unique' ELSE 'index ' || i.name
            || CASE i.\"unique\" WHEN 1 THEN ' unique' ELSE '' END END
        || ' ' || t.name || ' (' || (
            SELECT group_concat(name) FROM
                (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) || ')'
        || COALESCE((SELECT ' where' || substr(sql, instr(sql, ' WHERE ') + 6)
            FROM sqlite_schema WHERE name = i.name AND instr(sql, ' WHERE ') > 0), '')
    FROM t JOIN pragma_index_list(t.name) i WHERE i.origin <> 'pk'
    UNION ALL
    SELECT 'foreign key ' || t.name || '.' || f.\"from\" || ' to ' || f.\"table\" || '.' || f.\"to\"
        || ' on delete ' || lower(f.on_delete)
    FROM t JOIN pragma_foreign_key_list(t.name) f";

const POSTGRES: &str = "
    SELECT 'column ' || table_name || '.' || column_name || ' #' || ordinal_position - 1 || ' '
        || CASE data_type WHEN 'bigint' THEN 'integer' WHEN 'integer' THEN 'int4' ELSE data_type END
        || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
        || COALESCE(' default ' || regexp_replace(column_default, '::.*', ''), '')
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'edgekeep_migrations'
    UNION ALL
    SELECT CASE
            WHEN i.indisprimary THEN 'primary key'
            WHEN k.oid IS NOT NULL THEN 'unique'
            ELSE 'index ' || c.relname || CASE WHEN i.indisunique THEN ' unique' ELSE '' END
        END || ' ' || t.relname || ' (' || (
            SELECT string_agg(a.attname, ',' ORDER BY p.place)
            FROM unnest(i.indkey) WITH ORDINALITY p (attnum, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p.attnum) || ')'
        || COALESCE(' where ' || replace(replace(pg_get_expr(i.indpred, i.indrelid), '(', ''), ')', ''), '')
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_class t ON t.oid = i.indrelid AND t.relname <> 'edgekeep_migrations'
    JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'public'
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype = 'u'
    UNION ALL
    SELECT 'foreign key ' || t.relname || '.' || a.attname || ' to ' || u.relname || '.' || b.attname
        || ' on delete ' || CASE k.confdeltype WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null'
            WHEN 'r' THEN 'restrict' ELSE 'no action' END
    FROM pg_constraint k
    JOIN pg_class t ON t.oid = k.conrelid
    JOIN pg_class u ON u.oid = k.confrelid
    CROSS JOIN unnest(k.conkey, k.confkey) p (here, there)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.here
    JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = p.there
    WHERE k.contype = 'f'";

/// Facts of a SQLite schema.
pub(crate) fn sqlite(connection: &Connection) -> Result<BTreeSet<String>, Failed> {
    let mut facts = column(connection, SQLITE)?;
    let tables = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%CHECK%'";
    for sql in column(connection, tables)? {
        let (head, _) = sql.split_once('(').ok_or("a table without columns")?;
        let table = head
            .split_whitespace()
            .last()
            .ok_or("a table without a name")?;
        for check in sql.split("CHECK").skip(1) {
            let (check, _) = check.split_once("))").ok_or("a CHECK of another form")?;
            facts.insert(format!("check {table} ({})", words(check)));
        }
    }
    Ok(facts)
}

/// Facts of a PostgreSQL schema.
pub(crate) async fn postgres(client: &Client) -> Result<BTreeSet<String>, Failed> {
    let mut facts = BTreeSet::new();
    for row in client.query(POSTGRES, &[]).await? {
        facts.insert(row.try_get::<_, String>(0)?.to_lowercase());
    }
    let checks = "SELECT t.relname::text, pg_get_constraintdef(k.oid) FROM pg_constraint k
        JOIN pg_class t ON t.oid = k.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
        WHERE k.contype = 'c' AND n.nspname = 'public'";
    for row in client.query(checks, &[]).await? {
        let (table, check): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        facts.insert(format!("check {table} ({})", words(&check)));
    }
    Ok(facts)
}

/// The texts in quotes, which are what a CHECK of ours lists.
fn words(check: &str) -> String {
    let mut words: Vec<&str> = check.split('\'').skip(1).step_by(2).collect();
    words.sort_unstable();
    words.join(",")
}

/// The first column, lower case but for the text of tables.
pub(crate) fn column(connection: &Connection, sql: &str) -> Result<BTreeSet<String>, Failed> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let plain = |text: String| {
        if text.starts_with("CREATE") {
            text
        } else {
            text.to_lowercase()
        }
    };
    Ok(rows.into_iter().map(plain).collect())
}

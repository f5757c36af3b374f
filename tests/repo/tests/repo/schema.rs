//! One schema in two dialects.

use edgekeep_native::migrate::Migrator;
use libtest_mimic::{Failed, Trial};

use super::{OnPostgres, catalog, databases, none};

/// What requirement M-06 lists, and what the product needs besides.
const TABLES: [&str; 49] = [
    "agents",
    "ai_logs",
    "alerts",
    "api_keys",
    "audit_log",
    "audit_pending",
    "audit_seals",
    "email_changes",
    "exact_limits",
    "failed_auth_attempts",
    "feature_flags",
    "idempotency_keys",
    "identities",
    "inbox",
    "invitations",
    "invoices",
    "job_parts",
    "jobs",
    "mails",
    "memberships",
    "metrics",
    "mfa_challenges",
    "mfa_factors",
    "mfa_recovery_codes",
    "outbox",
    "payment_transitions",
    "payments",
    "plans",
    "products",
    "projects",
    "roles",
    "scheduler_tasks",
    "sessions",
    "stripe_inbox",
    "stripe_incidents",
    "stripe_invoices",
    "subscriptions",
    "team_members",
    "teams",
    "temp_ids",
    "tenant_domains",
    "tenants",
    "usage_events",
    "usage_hourly",
    "usage_logs",
    "usage_months",
    "users",
    "webhook_deliveries",
    "webhook_endpoints",
];

/// Indexes that lists, sweeps and due work depend on (M-05).
const INDEXES: [&str; 56] = [
    "agents_creator",
    "agents_deleted",
    "agents_live",
    "agents_project",
    "agents_tenant",
    "ai_logs_age",
    "ai_logs_tenant",
    "alerts_open",
    "api_keys_tenant",
    "api_keys_user",
    "audit_log_tenant",
    "email_changes_expiry",
    "exact_limits_expiry",
    "failed_auth_attempts_expiry",
    "idempotency_keys_expiry",
    "inbox_expiry",
    "invitations_expiry",
    "invitations_tenant",
    "invoices_tenant",
    "jobs_due",
    "jobs_finished",
    "jobs_tenant",
    "mails_age",
    "mails_due",
    "mails_recipient",
    "memberships_user",
    "outbox_due",
    "outbox_open",
    "outbox_relayed",
    "payment_transitions_payment",
    "payments_due",
    "payments_tenant",
    "payments_user",
    "projects_creator",
    "projects_deleted",
    "projects_live",
    "projects_tenant",
    "sessions_expiry",
    "sessions_user",
    "stripe_inbox_done",
    "stripe_inbox_open",
    "stripe_incidents_tenant",
    "stripe_invoices_tenant",
    "subscriptions_checked",
    "subscriptions_past_due",
    "subscriptions_tenant",
    "temp_ids_expiry",
    "tenants_deleted",
    "tenants_stripe",
    "tenants_trials",
    "usage_events_time",
    "usage_logs_tenant",
    "users_reset_expiry",
    "users_unverified",
    "webhook_deliveries_due",
    "webhook_endpoints_tenant",
];

/// Columns that requirements M-04 and I-01 name.
const COLUMNS: [&str; 14] = [
    "users.email_verification_hash",
    "users.email_verification_expires_at",
    "users.password_reset_hash",
    "users.password_reset_expires_at",
    "payments.status",
    "payments.amount_minor",
    "payments.currency",
    "payments.payment_intent_id",
    "payments.payment_method",
    "payments.metadata",
    "payments.error",
    "payments.paid_at",
    "payments.confirmed_at",
    "payments.completed_at",
];

/// Tables whose rows may belong to no tenant, or to none yet.
const TENANT_OPTIONAL: [&str; 5] = [
    "alerts",
    "audit_log",
    "outbox",
    "stripe_incidents",
    "usage_logs",
];

/// One of every sort of difference that the dialects could have.
const CHANGES: [&str; 12] = [
    "CREATE TABLE more (id BIGINT)",
    "ALTER TABLE plans ADD COLUMN more BIGINT",
    "ALTER TABLE plans ALTER COLUMN name DROP NOT NULL",
    "ALTER TABLE plans ALTER COLUMN sort TYPE INTEGER",
    "ALTER TABLE tenants ALTER COLUMN epoch SET DEFAULT 2",
    "ALTER TABLE plans DROP CONSTRAINT plans_stripe_lookup_key_key",
    "ALTER TABLE usage_hourly DROP CONSTRAINT usage_hourly_pkey",
    "DROP INDEX jobs_tenant; CREATE INDEX jobs_tenant ON jobs (created_at, tenant_id)",
    "DROP INDEX jobs_due; CREATE INDEX jobs_due ON jobs (leased_until)",
    "DROP INDEX jobs_due; CREATE UNIQUE INDEX jobs_due ON jobs (leased_until) WHERE finished_at IS NULL",
    "ALTER TABLE job_parts DROP CONSTRAINT job_parts_job_id_fkey; ALTER TABLE job_parts ADD FOREIGN KEY (job_id) REFERENCES jobs (id)",
    "ALTER TABLE memberships DROP CONSTRAINT memberships_role_check; ALTER TABLE memberships ADD CHECK (role IN ('founder', 'admin', 'agent'))",
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        // Rows: M-01
        Trial::test("schema::both_dialects_have_the_same_files", same_files),
        // Rows: M-04 M-05 M-06 I-01
        Trial::test("schema::every_table_and_index_is_there", inventory),
        Trial::test("schema::sqlite_tables_are_strict", strict),
        // Rows: L-06
        Trial::test("schema::tenants_own_their_rows", owned),
        // Rows: L-06
        Trial::test("schema::tenants_rows_are_indexed", found_by_tenant),
        // Rows: M-17
        Trial::test("schema::sqlite_keeps_the_audit_log", append_only),
        Trial::test(
            "schema::foreign_keys_to_deletable_rows_are_indexed",
            indexed,
        ),
    ]
}

pub(crate) fn on_postgres() -> Vec<OnPostgres> {
    vec![
        // Rows: M-01
        ("schema::both_dialects_have_the_same_catalog", |server| {
            Box::pin(async move {
                let here = catalog::sqlite(&databases::sqlite_within().await?.1)?;
                let there = catalog::postgres(&databases::postgres(server).await?).await?;
                let only = |mark: &str, fact: &String| format!("{mark} only: {fact}");
                let mut findings: Vec<String> = here
                    .difference(&there)
                    .map(|fact| only("sqlite", fact))
                    .collect();
                findings.extend(there.difference(&here).map(|fact| only("postgres", fact)));
                // A comparison of nothing would pass.
                assert!(here.len() > 200, "{} facts", here.len());
                none("the dialects differ", &findings)
            })
        }),
        ("schema::the_comparison_sees_every_difference", |server| {
            Box::pin(async move {
                let client = databases::postgres(server).await?;
                let whole = catalog::postgres(&client).await?;
                for change in CHANGES {
                    client.batch_execute(&format!("BEGIN; {change}")).await?;
                    let changed = catalog::postgres(&client).await?;
                    client.batch_execute("ROLLBACK").await?;
                    assert!(changed != whole, "not seen: {change}");
                }
                Ok(())
            })
        }),
        // Rows: M-17
        ("schema::postgres_keeps_the_audit_log", |server| {
            Box::pin(async move {
                let client = databases::postgres(server).await?;
                client.batch_execute(ENTRY).await?;
                let truncate = "TRUNCATE audit_log, audit_seals";
                for change in CHANGES_OF_AUDIT.iter().chain(&[truncate]) {
                    let refused = client.batch_execute(change).await;
                    let error = refused.expect_err(change);
                    let why = error.as_db_error().map(|error| error.message().to_owned());
                    assert!(
                        why.is_some_and(|why| why.contains("append-only")),
                        "{change}"
                    );
                }
                let row = client.query_one(ENTRIES, &[]).await?;
                assert_eq!(row.get::<_, String>(0), "a x 1");
                Ok(())
            })
        }),
        ("schema::postgres_text_sorts_by_bytes", |server| {
            Box::pin(async move {
                let client = databases::postgres(server).await?;
                let odd = "SELECT table_name || '.' || column_name FROM information_schema.columns
                    WHERE table_schema = 'public' AND table_name <> 'edgekeep_migrations'
                        AND data_type <> 'bigint' AND collation_name IS DISTINCT FROM 'C'";
                let rows = client.query(odd, &[]).await?;
                let findings = rows.iter().map(|row| row.get(0)).collect::<Vec<String>>();
                none("neither BIGINT nor TEXT COLLATE \"C\"", &findings)
            })
        }),
    ]
}

fn same_files() -> Result<(), Failed> {
    databases::block_on(async {
        let names = |directory: &str| -> Result<Vec<String>, Failed> {
            let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
            let mut names = Vec::new();
            for entry in std::fs::read_dir(format!("{root}/{directory}"))? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            names.retain(|name| name != "down");
            Ok(names)
        };
        let files = names("sqlite")?;
        for other in ["postgres", "sqlite/down", "postgres/down"] {
            assert_eq!(
                names(other)?,
                files,
                "migrations/{other} and migrations/sqlite"
            );
        }
        // Numbered without gaps, so that the order is the order of landing.
        for (number, file) in (1..).zip(&files) {
            assert!(
                file.starts_with(&format!("{number:04}_")),
                "{file} is not number {number}"
            );
        }
        let migrator = Migrator::open("sqlite::memory:").await?;
        let inside: Vec<String> = migrator
            .files()
            .iter()
            .map(|file| format!("{}.sql", file.name))
            .collect();
        assert_eq!(
            inside, files,
            "the tool carries other files than the directory"
        );
        Ok(())
    })
}

/// An entry and a link, then what must not be done to them.
const ENTRY: &str = "INSERT INTO audit_log (id, actor, action, target, request_id, created_at)
    VALUES ('a', 'x', 'x', 'x', 'x', 1);
    INSERT INTO audit_seals (position, audit_id, hash, mac) VALUES (1, 'a', 'x', 'x')";
const CHANGES_OF_AUDIT: [&str; 4] = [
    "UPDATE audit_log SET actor = 'y'",
    "DELETE FROM audit_log WHERE id = 'a'",
    "UPDATE audit_seals SET hash = 'y'",
    "DELETE FROM audit_seals",
];
/// The entry and its link as they are, and that the entry waits.
const ENTRIES: &str = "SELECT p.audit_id || ' ' || l.actor || ' ' || s.position
    FROM audit_pending p, audit_log l, audit_seals s";

fn append_only() -> Result<(), Failed> {
    let (_scratch, sqlite) = databases::sqlite()?;
    sqlite.execute_batch(ENTRY)?;
    for change in CHANGES_OF_AUDIT {
        let why = sqlite.execute_batch(change).expect_err(change).to_string();
        assert!(why.contains("append-only"), "{change}: {why}");
    }
    let there = catalog::column(&sqlite, ENTRIES)?;
    assert_eq!(there.into_iter().collect::<Vec<_>>(), ["a x 1"]);
    Ok(())
}

fn inventory() -> Result<(), Failed> {
    let (_scratch, sqlite) = databases::sqlite()?;
    let there = catalog::column(&sqlite, "SELECT name FROM sqlite_schema")?;
    let columns = "SELECT t.name || '.' || c.name FROM sqlite_schema t
        JOIN pragma_table_info(t.name) c WHERE t.type = 'table'";
    let columns = catalog::column(&sqlite, columns)?;
    let names = TABLES
        .iter()
        .chain(&INDEXES)
        .filter(|name| !there.contains(**name));
    let missing = names.chain(COLUMNS.iter().filter(|name| !columns.contains(**name)));
    none(
        "missing",
        &missing.map(ToString::to_string).collect::<Vec<_>>(),
    )
}

fn strict() -> Result<(), Failed> {
    let (_scratch, sqlite) = databases::sqlite()?;
    let lax = "SELECT name FROM pragma_table_list WHERE type = 'table' AND strict = 0
        AND name NOT LIKE 'sqlite_%' AND name <> 'edgekeep_migrations'";
    none(
        "not STRICT",
        &catalog::column(&sqlite, lax)?
            .into_iter()
            .collect::<Vec<_>>(),
    )
}

fn owned() -> Result<(), Failed> {
    let (_scratch, sqlite) = databases::sqlite()?;
    let optional = "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
        WHERE t.type = 'table' AND c.name = 'tenant_id' AND c.\"notnull\" = 0";
    let found = catalog::column(&sqlite, optional)?;
    assert_eq!(
        found.iter().map(String::as_str).collect::<Vec<_>>(),
        TENANT_OPTIONAL
    );
    // Those of requests are written after the answer, many in one batch, which no tenant that is gone may hold up.
    let loose = "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
        WHERE t.type = 'table' AND c.name = 'tenant_id' AND t.name <> 'usage_logs' AND NOT EXISTS (
            SELECT 1 FROM pragma_foreign_key_list(t.name) f
            WHERE f.\"from\" = 'tenant_id' AND f.\"table\" = 'tenants')";
    none(
        "tenant_id refers to nothing",
        &catalog::column(&sqlite, loose)?
            .into_iter()
            .collect::<Vec<_>>(),
    )
}

/// Each table with a tenant's rows has an index, or a primary key, that leads with the tenant.
fn found_by_tenant() -> Result<(), Failed> {
    let (_scratch, sqlite) = databases::sqlite()?;
    let owned = "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
        WHERE t.type = 'table' AND c.name = 'tenant_id'";
    assert!(catalog::column(&sqlite, owned)?.len() > 20);
    let bare = format!(
        "{owned} AND NOT EXISTS (
            SELECT 1 FROM pragma_index_list(t.name) i JOIN pragma_index_info(i.name) k
            WHERE k.seqno = 0 AND k.name = 'tenant_id')"
    );
    none(
        "no index leads with tenant_id",
        &catalog::column(&sqlite, &bare)?
            .into_iter()
            .collect::<Vec<_>>(),
    )
}

/// Deleting a parent looks for its children; without an index it reads their whole table.
fn indexed() -> Result<(), Failed> {
    let (_scratch, sqlite) = databases::sqlite()?;
    let bare = "SELECT t.name || '.' || f.\"from\" FROM sqlite_schema t
        JOIN pragma_foreign_key_list(t.name) f
        WHERE t.type = 'table' AND f.on_delete = 'CASCADE' AND NOT EXISTS (
            SELECT 1 FROM pragma_index_list(t.name) i JOIN pragma_index_info(i.name) c
            WHERE c.seqno = 0 AND c.name = f.\"from\")";
    none(
        "no index leads with",
        &catalog::column(&sqlite, bare)?
            .into_iter()
            .collect::<Vec<_>>(),
    )
}

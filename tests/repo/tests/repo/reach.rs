//! Which statements reach rows of tenants, and by what right.
//!
//! A [`TenantQuery`](edgekeep_core::sql::TenantQuery) takes a `TenantId` as `?1`, and its text must keep
//! to that tenant. Every other statement on a tenant's table is listed here with its reason, so that a
//! new one is looked at.

use std::collections::BTreeSet;

use edgekeep_core::functions;
use edgekeep_core::port::Dialect;
use edgekeep_core::sql::Scope;
use libtest_mimic::{Failed, Trial};

use super::{catalog, databases, none};

/// What leads a statement to the right rows where it is not the tenant.
const LED_OTHERWISE: [(&str, &[&str]); 10] = [
    (
        "the one session that the caller's signed token names, or that the batch has just made",
        &[
            "auth.end_session",
            "auth.own_session",
            "auth.rotate_session",
            "auth.session",
            "email_change.holder",
            "identity.session",
            "mfa.owner",
            "mfa.raise_session",
            "mfa.record_session",
            "oauth.link_own",
            "oauth.session_lives",
        ],
    ),
    (
        "what one user has in all tenants: the caller, or who opened a link that was mailed to them",
        &[
            "accounts.rename_tenant",
            "auth.end_challenges",
            "auth.end_sessions",
            "auth.list_sessions",
            "auth.memberships",
            "auth.role_in",
            "auth.switch_session",
            "closing.close",
            "closing.close_tenants",
            "closing.end_invitations",
            "closing.end_sessions",
            "closing.leave",
            "closing.lock",
            "closing.memberships",
            "closing.revoke_keys",
            "email_change.end_sessions",
            "mfa.lower_sessions",
            "organizations.list",
        ],
    ),
    (
        "the row whose secret, or an id that nobody guesses, the caller has shown",
        &[
            "api_keys.add_uses",
            "identity.api_key",
            "invitations.find",
            "mfa.challenge",
            "mfa.spend_challenge",
            "usage.admit",
            "usage.insert",
            "usage.insert_whole",
            "usage.lock_tenant",
            "usage.roll_up",
        ],
    ),
    (
        "a sign-in finds out where its user is a member",
        &["accounts.by_email", "oauth.by_email", "oauth.by_identity"],
    ),
    (
        "who leaves a tenant or is taken out of it: whether they are a member anywhere else",
        &["members.house"],
    ),
    (
        "a key that is a hash over tenant, caller and action",
        &["idempotency.expire", "idempotency.find"],
    ),
    (
        "the scheduler, for all tenants in turn",
        &[
            "agents.purge",
            "cleanup.ai_logs",
            "cleanup.idempotency_keys",
            "cleanup.invitations",
            "cleanup.jobs",
            "cleanup.mark_unverified_tenants",
            "cleanup.mfa_challenges",
            "cleanup.sessions",
            "cleanup.unverified_events",
            "cleanup.unverified_memberships",
            "cleanup.unverified_tenants",
            "invoices.billed",
            "invoices.count_up",
            "invoices.used",
            "jobs.due",
            "jobs.lease",
            "cleanup.usage_reservations",
            "metrics.backlog",
            "mail.queue_for_event",
            "payments.due",
            "trials.due",
            "trials.end",
            "trials.stats",
            "projects.purge",
            "stripe.checked",
            "stripe.overdue",
            "stripe.stale",
            "temp_ids.expire",
            "usage.expire",
            "usage.return",
            "usage.thresholds_due",
        ],
    ),
    (
        "Stripe's signed event names the subscription, the payment or the refund",
        &[
            "payments.find",
            "payments.refund_failed",
            "stripe.held",
            "stripe.leave",
            "stripe.state",
            "stripe.target",
        ],
    ),
    ("a host name is public", &["tenancy.by_domain"]),
    (
        "the tenant's own row, and what hangs on it",
        &["stripe.set_plan"],
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        // Rows: L-06
        Trial::test("reach::statements_keep_to_their_tenant", keep),
        Trial::test("reach::the_check_sees_what_it_looks_for", sees),
    ]
}

/// Tables whose every row is a tenant's.
fn owned() -> Result<BTreeSet<String>, Failed> {
    let (_scratch, sqlite) = databases::sqlite()?;
    catalog::column(
        &sqlite,
        "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
        WHERE t.type = 'table' AND c.name = 'tenant_id' AND c.\"notnull\" = 1",
    )
}

/// The words of a statement, each punctuation mark one of its own.
fn words(text: &str) -> Vec<String> {
    let mut spaced = String::new();
    for c in text.chars() {
        if "(),=".contains(c) {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// The tables of `owned` that a statement reads or writes.
fn reaches<'t>(words: &[String], owned: &'t BTreeSet<String>) -> Vec<&'t str> {
    let is_named = |table: &&String| {
        let pairs = words.windows(2);
        let after = ["FROM", "JOIN", "INTO", "UPDATE", ","];
        pairs
            .into_iter()
            .any(|pair| after.contains(&pair[0].as_str()) && pair[1] == **table)
    };
    owned.iter().filter(is_named).map(String::as_str).collect()
}

/// Whether rows are found, or made, by the tenant in `?1`.
fn is_bound(words: &[String], owned: &BTreeSet<String>) -> bool {
    let named = |word: &str| {
        let column = word.rsplit('.').next().unwrap_or_default();
        column == "tenant_id" || ["t.id", "tenants.id"].contains(&word)
    };
    let compared = words
        .windows(3)
        .any(|three| named(&three[0]) && three[1] == "=" && three[2] == "?1");
    // The tenant's own row, which the rest hangs on.
    let own = ["FROM", "tenants", "WHERE", "id", "=", "?1"];
    let by_own_row = words.windows(own.len()).any(|six| six == own);
    let made = words.first().is_some_and(|word| word == "INSERT")
        && words.get(2).is_some_and(|table| owned.contains(table))
        && words
            .iter()
            .take_while(|word| *word != ")")
            .any(|word| word == "tenant_id")
        && words.iter().any(|word| word == "?1");
    compared || by_own_row || made
}

fn keep() -> Result<(), Failed> {
    let owned = owned()?;
    let listed: BTreeSet<&str> = LED_OTHERWISE
        .iter()
        .flat_map(|(_, names)| names.iter().copied())
        .collect();
    let mut found = BTreeSet::new();
    let mut findings = Vec::new();
    let mut kept = 0;
    for query in functions::queries() {
        let texts = [Dialect::Sqlite, Dialect::Postgres].map(|dialect| words(query.text(dialect)));
        if texts.iter().all(|words| reaches(words, &owned).is_empty()) {
            continue;
        }
        let bound = texts.iter().all(|words| is_bound(words, &owned));
        if query.scope == Scope::Tenant && bound {
            kept += 1;
        } else {
            found.insert(query.name);
        }
    }
    assert!(kept > 60, "{kept} statements keep to a tenant");
    let odd = found.symmetric_difference(&listed);
    findings.extend(
        odd.map(|name| format!("{name}: reaches beyond one tenant, or is listed and does not")),
    );
    none("statements on tenants' tables", &findings)
}

/// A check of text is worth what it sees.
fn sees() -> Result<(), Failed> {
    let owned = owned()?;
    let judged = |text: &str| {
        let words = words(text);
        (reaches(&words, &owned).len(), is_bound(&words, &owned))
    };
    for (text, wanted) in [
        (
            "SELECT id FROM jobs WHERE tenant_id = ?1 AND id = ?2",
            (1, true),
        ),
        ("SELECT id FROM jobs WHERE id = ?1", (1, false)),
        (
            "SELECT j.id FROM plans p, jobs j WHERE j.tenant_id=?2",
            (1, false),
        ),
        ("UPDATE projects SET name = ?2 WHERE id = ?1", (1, false)),
        (
            "DELETE FROM api_keys WHERE (id = ?2 AND tenant_id = ?1)",
            (1, true),
        ),
        (
            "INSERT INTO jobs (id, tenant_id) VALUES (?2, ?1)",
            (1, true),
        ),
        ("INSERT INTO jobs (id, kind) VALUES (?2, ?1)", (1, false)),
        ("SELECT id FROM plans WHERE id = ?1", (0, false)),
    ] {
        assert_eq!(judged(text), wanted, "{text}");
    }
    Ok(())
}

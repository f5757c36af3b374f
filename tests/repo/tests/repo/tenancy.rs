//! Where a tenant is made from text, and where the database is asked past the types.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};

use super::none;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/core/src");

/// Files that make a `TenantId`, each with what has proven it.
const PROVEN: [(&str, &str); 21] = [
    ("auth/closing.rs", "the user's own memberships"),
    (
        "auth/mfa/challenge.rs",
        "the row of a challenge whose token was shown",
    ),
    ("auth/oauth/account.rs", "a tenant that is being made"),
    ("auth/register.rs", "a tenant that is being made"),
    (
        "auth/session.rs",
        "the membership of who has just proven who they are",
    ),
    ("auth/switch.rs", "the user's own membership there"),
    (
        "guard/identity.rs",
        "a signed claim whose session's row was found, or a key's row",
    ),
    ("guard/policy.rs", "a test"),
    (
        "http/context.rs",
        "a signed claim; what is read by it is thrown away unless its rows agree",
    ),
    (
        "http/tenant.rs",
        "a tenant's own row, for services and for what is public",
    ),
    ("invoices/make.rs", "the tenant's own row, by the scheduler"),
    ("jobs/store.rs", "the job's row"),
    (
        "meters/tick.rs",
        "the row of a month that the scheduler read",
    ),
    (
        "organizations/invitations/accept.rs",
        "the row of an invitation whose token was shown",
    ),
    (
        "organizations/members/service.rs",
        "a tenant that is being made for who would be left without one",
    ),
    (
        "organizations/tenants/service.rs",
        "a tenant that is being made",
    ),
    ("payments/model.rs", "the payment's own row"),
    ("stripe/overdue.rs", "the row of an overdue subscription"),
    ("trials/service.rs", "a tenant's own row, for services"),
    ("trials/task.rs", "the tenant's own row"),
    (
        "stripe/target.rs",
        "a row that Stripe's signed event led to",
    ),
];

/// Files that ask the database port itself, instead of a request's context.
const RAW: [(&str, &str); 3] = [
    (
        "http/database.rs",
        "the one door: it counts, checks and names",
    ),
    (
        "metrics/gather.rs",
        "writes what an instance has counted, which is nobody's",
    ),
    (
        "organizations/api_keys/uses.rs",
        "counts uses after the answer, by the keys' ids",
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        // Rows: L-06
        Trial::test("tenancy::a_tenant_is_made_from_proof_alone", || {
            only("TenantId::proven", &PROVEN)
        }),
        // Rows: L-06
        Trial::test("tenancy::the_database_has_one_door", || {
            only(".database()", &RAW)
        }),
    ]
}

/// Whether the files with `text` in them are those of the list.
fn only(text: &str, listed: &[(&str, &str)]) -> Result<(), Failed> {
    let mut files = Vec::new();
    collect(Path::new(SOURCES), &mut files)?;
    assert!(files.len() > 100, "{} files", files.len());
    let mut found = BTreeSet::new();
    for file in &files {
        // Where it is defined it is not made.
        let name = file.strip_prefix(SOURCES)?.to_string_lossy().into_owned();
        if name != "tenancy.rs" && fs::read_to_string(file)?.contains(text) {
            found.insert(name);
        }
    }
    let known: BTreeSet<String> = listed.iter().map(|(name, _)| (*name).to_owned()).collect();
    let odd = found.symmetric_difference(&known).cloned();
    none(
        &format!("{text} here or in the list, and not in both"),
        &odd.collect::<Vec<_>>(),
    )
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failed> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

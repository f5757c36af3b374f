//! docs/retention.md

use edgekeep_core::scheduler::{POLICIES, Policy};
use edgekeep_core::time::DAY;

use crate::Page;
use crate::table::{code, table};

pub(crate) fn page() -> Page {
    let rows: Vec<_> = POLICIES.iter().map(row).collect();
    let body = [
        "The scheduler's task `cleanup` deletes what is older than this, in bounded batches;\n\
         what one run leaves, the next one takes."
            .to_owned(),
        table(&["what", "kept after its end"], &rows),
        REST.to_owned(),
    ];
    let source = "POLICIES in shared/core/src/scheduler/cleanup.rs";
    Page::new("retention.md", "Retention", source, &body)
}

fn row(policy: &Policy) -> Vec<String> {
    let kept = match policy.kept / DAY {
        0 => "not at all".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    vec![code(policy.what), kept]
}

const REST: &str = "\
- The end is the expiry of sessions, links, invitations, idempotency keys, temporary ids, limit windows
  and failed attempts; the finish of jobs and Stripe events; the relay of the outbox's events (what waits is kept); the deletion of projects and agents; the
  creation of mails and AI logs; the moment or hour of what was tracked of requests (`usage_logs`).
- `verification_links` are only emptied: the account stays, and can ask for a new one.
- `unverified_accounts` go with their tenants, counted from the last registration of the address.
- The parts of a job's result go with the job; a project stays as long as a deleted agent of it does.
- Usage events and rollups, API keys, subscriptions, tenants, users and the audit log are kept: nothing
  deletes them yet.";

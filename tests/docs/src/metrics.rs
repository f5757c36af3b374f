//! docs/metrics.md

use edgekeep_core::metrics::{FAMILIES, Family};

use crate::Page;
use crate::table::{code, table};

pub(crate) fn page() -> Page {
    let rows: Vec<_> = FAMILIES.iter().map(row).collect();
    let body = [
        READING.to_owned(),
        "## Counters".to_owned(),
        table(&["name", "labels", "what it counts"], &rows),
        MEANING.to_owned(),
        GAUGES.to_owned(),
        EXACT.to_owned(),
        ADDING.to_owned(),
    ];
    let source = "FAMILIES in shared/core/src/metrics/families.rs and tests/docs/src/metrics.rs";
    Page::new("metrics.md", "Metrics", source, &body)
}

fn row(family: &Family) -> Vec<String> {
    let labels: Vec<_> = family.labels.iter().map(|label| code(label)).collect();
    vec![code(family.name), labels.join(", "), family.help.to_owned()]
}

const READING: &str = "\
`GET /metrics` gives what all instances of all functions have counted, and how things stand, in
Prometheus' text format 0.0.4. Nobody reads it without a credential, in development neither: a service
token for `health`, or `METRICS_TOKEN`, which opens nothing else.

```yaml
scrape_configs:
  - job_name: edgekeep
    scrape_interval: 30s
    scheme: https
    authorization: { credentials_file: /etc/prometheus/edgekeep.token }
    static_configs: [{ targets: [api.example.com] }]
```

```sh
. ./.dev.vars    # the token of a laptop
curl http://127.0.0.1:8787/metrics -H \"authorization: Bearer $METRICS_TOKEN\"
```

It costs one round trip, and reads about as many rows as there are lines. Scrape one address only: every
one gives the same numbers. `METRICS_TOKEN=new,old` holds while it is rolled.";

const MEANING: &str = "\
Labels are names of the program: routes, codes of [errors.md](errors.md), templates, states. None is a
path, a tenant, a user, an address or anything else that came with a request, so there are as many
series as the program has, and nothing on the page is personal. The type `Series` holds that: it takes
no text that was made at run time.

- `auth_attempts_total` counts two things. By the methods `password`, `mfa`, `oauth` and
  `refresh_token`: who tried to get tokens. By `access_token`, `cookie`, `api_key`, `service_token`,
  `other` and `none`: the credentials of requests to routes that ask for one. No failure is
  a caller who is known but may not (403), or whose plan lacks it (402), nor a body that was not understood.
- A right password of somebody with a second factor is `mfa_required`; the second step counts as `mfa`.
- `auth_bypass_detected_total` must stay 0. Before an answer leaves, it is checked that somebody judged
  the caller as the route's table asks; otherwise the answer is withheld and this counts.
- `db_errors_total{kind=\"refused\"}` also moves when two requests with one idempotency key meet: the
  database refuses the second, as it should.
- The clock of Workers stands still while code computes, so there `http_request_duration_seconds` is the
  time spent waiting for databases and others.";

const GAUGES: &str = "\
## Gauges

Read when the page is asked for, from the rows themselves.

| name | what it shows |
|---|---|
| `build_info{version}` | 1 |
| `config_warnings{environment}` | problems of the configuration that production would refuse |
| `cache_documents` | documents that the instance which answers has cached ([cache.md](cache.md)) |
| `circuit_breaker_state{dependency}` | 0 closed, 1 half-open, 2 open ([resilience.md](resilience.md)) |
| `feature_enabled{feature}` | 1 or 0 ([config.md](config.md)) |
| `jobs_unfinished{state}` | jobs `queued` and `running` |
| `mails_due` | mails that should have been sent by now |
| `stripe_events_open` | events of Stripe that are not done |
| `audit_entries_unsealed` | entries of the audit log that are in no link yet |
| `outbox_waiting` | events that were not passed on ([outbox.md](outbox.md)) |
| `outbox_lag_seconds` | how long the oldest of them has waited |
| `scheduler_last_run_timestamp_seconds{task}` | when a run of the task ended last |
| `scheduler_runs_total{task}` | a counter: runs that ended |";

const EXACT: &str = "\
## What is exact, and what may be lost

An instance counts in memory, and adds what it counted to the table `metrics` with one statement after an
answer: 5 s after the first count on Workers, 0.5 s on Spin, 1 s natively. Requests never wait for it and
make no call for it. So the page is that much late, except for the instance that shows it, and:

- A write that fails is repeated with the next. If the database did it and only its answer was lost, its
  counts are there twice.
- An instance that is killed loses what it had gathered, at most those seconds: a Worker that runs out of
  memory or CPU time, a Spin component that traps, a process that gets `SIGKILL`. One that is stopped, or
  falls idle, loses nothing: the platform waits for the write (Workers 30 s).
- Gauges and `scheduler_runs_total` are read from rows that their own work writes, so they are exact.

What must never be lost is not a counter: sign-ins, refusals and changes stand in the audit log
([audit.md](audit.md)), mails, jobs and Stripe's events in their tables. They are not counted from there
because retention deletes rows, and a counter must not fall.";

const ADDING: &str = "\
## A new counter

Add a line to `families!` in `shared/core/src/metrics/families.rs`, call `cx.count(…)` where it happens,
and run `cargo run -p edgekeep-docs`.";

//! docs/config.md

use edgekeep_core::config::{Feature, VARIABLES, Variable};

use crate::Page;
use crate::table::{code, table};

pub(crate) fn page() -> Page {
    let rows: Vec<_> = VARIABLES.iter().map(row).collect();
    let body = [
        "Variables are read once, when an isolate, component or process starts. All problems are\n\
         found together and logged by name, never with a value; until they are mended every route\n\
         answers 503 `NOT_CONFIGURED`, except the probes."
            .to_owned(),
        table(&["name", "kind", "without it", "what it does"], &rows),
        features(),
        WHERE.to_owned(),
        STRICT.to_owned(),
        SPIN.to_owned(),
    ];
    let source = "VARIABLES in shared/core/src/config/variables.rs";
    Page::new("config.md", "Configuration", source, &body)
}

fn row(variable: &Variable) -> Vec<String> {
    let default = match variable.default {
        None => "must be set".to_owned(),
        Some("") => "empty".to_owned(),
        Some(text) => code(text),
    };
    let kind = if variable.secret { "secret" } else { "plain" };
    vec![
        code(variable.name),
        kind.to_owned(),
        default,
        variable.purpose.to_owned(),
    ]
}

/// What can be turned off.
fn features() -> String {
    let rows = Feature::ALL.map(|feature| {
        let refusal = feature.refusal();
        let answer = format!("{} {}", refusal.status(), code(refusal.name()));
        vec![code(feature.name()), answer, feature.without().to_owned()]
    });
    let rows = table(&["feature", "its routes answer", "while it is off"], &rows);
    format!("{FEATURES}\n\n{rows}")
}

const FEATURES: &str = "\
## Features

`FEATURES_DISABLED=registration,api_keys` turns parts off, in every function alike; everything is on
without it, but `billing`, which is turned on by `BILLING_ENABLED`. [roles.md](roles.md) names the feature of
each route. A route whose feature is off is not there, whoever asks, so it is a 404 and not a 403, but with a
code of its own. `GET /api/v1/slo/environment` and the gauge `feature_enabled` show what is on.";

const WHERE: &str = "\
## Where to set them

| where | plain | secret |
|---|---|---|
| a laptop, every stack | `.dev.vars` (made by `scripts/dev-secrets`) | the same file; git ignores it |
| Workers | `[env.….vars]` in each function's `wrangler.toml` | `wrangler secret put`, or `wrangler deploy --secrets-file` |
| Spin | `--variable log_level=debug` or `SPIN_VARIABLE_LOG_LEVEL=debug` | the same, or a provider such as Vault |
| native | the environment | the environment |

`scripts/secret` prints a new secret. `cargo run -p edgekeep-native -- config` says which variables
are set in the shell's environment and what is wrong with them, without showing one.";

const STRICT: &str = "\
## What staging and production refuse

`ENVIRONMENT` decides how strict the checks are; without it, production holds.

| problem | development, test | staging, production |
|---|---|---|
| a required variable is missing | refused | refused |
| a value of the wrong form | refused | refused |
| a key shorter than 32 characters, or that looks like a sample; former ones too | warning | refused |
| a secret that stands in two places, or twice in one list | warning | refused |
| a webhook secret that is no `whsec_…` with 24 characters after it | warning | refused |
| a key of Stripe, or a token of the mail provider, too short to be one | warning | refused |
| a Stripe key of test mode | accepted | refused in production |
| a URL or an origin without https, `GATEWAY_URL` or `FRONTEND_URL` not set or of this machine | accepted | refused |
| `STRIPE_API_BASE` other than Stripe's | accepted | refused |
| `EMAIL_PROVIDER=development` | accepted | refused |
| a provider that sends, and `EMAIL_FROM` not set or without a domain | warning | refused |
| `TEST_CLOCK=true` | accepted | refused |
| `*` in `CORS_ORIGINS` | refused | refused |
| more than 8 secrets or 100 other values in a list, a rate class twice | refused | refused |";

const SPIN: &str = "\
## Only on Spin

| name | what it does |
|---|---|
| `database_url` | `postgres://…` chooses PostgreSQL; empty means SQLite |
| `database_host` | the one PostgreSQL server, as `host:port`, that components may connect to; name yours in production |";

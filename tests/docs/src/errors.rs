//! docs/errors.md

use edgekeep_core::http::Code;

use crate::Page;
use crate::table::{code, table};

pub(crate) fn page() -> Page {
    let rows: Vec<_> = Code::ALL.iter().map(|known| row(*known)).collect();
    let body = [
        FORM.to_owned(),
        table(&["code", "status", "type", "retryable", "message"], &rows),
        RULES.to_owned(),
    ];
    let source = "the registry in shared/core/src/http/error.rs";
    Page::new("errors.md", "Errors", source, &body)
}

fn row(known: Code) -> Vec<String> {
    vec![
        code(known.name()),
        known.status().to_string(),
        code(known.kind().name()),
        if known.retryable() { "yes" } else { "no" }.to_owned(),
        known.message().to_owned(),
    ]
}

const FORM: &str = "\
Every error is `application/problem+json` (RFC 9457) with two more members, `error` and `metadata`.
Programs decide by `error.code`, which never changes its meaning; people read `error.message`.

```json
{
  \"type\": \"about:blank\",
  \"title\": \"Something in the request is not valid.\",
  \"status\": 400,
  \"detail\": \"Must be an e-mail address.\",
  \"instance\": \"/api/v1/auth/register\",
  \"error\": {
    \"type\": \"validation\",
    \"message\": \"Must be an e-mail address.\",
    \"code\": \"VALIDATION\",
    \"retryable\": false,
    \"field\": \"email\"
  },
  \"metadata\": {
    \"requestId\": \"req_0f3c5a7b9d1e2f40\",
    \"traceId\": \"0af7651916cd43dd8448eb211c80319c\",
    \"timestamp\": \"2026-11-20T10:18:00.000Z\"
  }
}
```

`error.field` is there when one field, parameter or header is to blame. The message may be more exact
than the one below. `error.permission` names the permission that a caller lacks; `error.feature` what the
plan lacks, and `error.upgrade` where the plans are listed; `error.expected` the version that is there;
`error.limit`, `error.used` and `error.plan` how many projects or agents the plan allows.";

const RULES: &str = "\
## Rules

- `retryable` means that the same request may succeed later, unchanged; wait for `Retry-After` where it
  is sent. `TOKEN_EXPIRED` is retryable after a refresh.
- A 401 carries `WWW-Authenticate: Bearer`, a 405 `Allow`, a `RATE_LIMITED` always `Retry-After`.
- What belongs to another tenant is a 404, as if it did not exist. What belongs to your tenant and is
  not for your role is a 403.
- The reason inside (`cause`) is in the log line with the same `requestId`, never in the answer. What
  each 5xx asks of an operator stands in [operations.md](operations.md).";

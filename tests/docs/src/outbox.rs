//! docs/outbox.md

use edgekeep_core::outbox::{TOPICS, Topic};

use crate::Page;
use crate::table::{code, table};

pub(crate) fn page() -> Page {
    let rows: Vec<_> = TOPICS.iter().copied().map(row).collect();
    let body = [
        INTRODUCTION.to_owned(),
        table(&["topic", "version", "what has happened", "mail"], &rows),
        REST.to_owned(),
    ];
    let source = "TOPICS in shared/core/src/outbox/topics.rs";
    Page::new("outbox.md", "Events", source, &body)
}

fn row(topic: &Topic) -> Vec<String> {
    let mail = topic.mail().map_or_else(String::new, code);
    vec![
        code(topic.name),
        topic.version.to_string(),
        topic.meaning.to_owned(),
        mail,
    ]
}

const INTRODUCTION: &str = "\
What happens to a tenant is an event: a row of `outbox`, written in the batch that makes it true. So there is
either the change and its event, or neither, whatever fails in between.

## Topics";

const REST: &str = "\
## Publishing one

A line in `topics!`, and a statement in the batch:

```rust
let payload = json!({\"plan\": plan});
let event = outbox::publish(cx, &tenant, Topic::TRIAL_STARTED, &payload)?;
cx.batch(&[change, event]).await?;
```

Where the change may turn out to be none (a guard in its `WHERE`), the event asks for what the change wrote:
`publish_where!` makes the text of such a statement, `Event::publish_by` binds it.

## How they are passed on

The scheduler's task `outbox` leases 20 events at a time for two minutes, oldest first, does what the topic's
line says, and sets `relayed_at`, both in one batch. A tick passes on 500 events at most, or what it can in 20 s.

- **Once.** A lease counts up `attempts`, and whoever marks an event names the count, so one whose lease ran out
  cannot mark it any more. What a consumer does, it does only where it gets the event's place in the table
  `inbox`: of two relays one gets it, and an event that an operator sends through again (`UPDATE outbox SET
  relayed_at = NULL, claimed_until = 0`) is not mailed again within 30 days.
- **Later.** One that cannot be passed on is tried again after 20 s, 40 s and so on, an hour at most, and never
  given up; `last_error` says why. It does not hold up others. A topic that this build does not know waits in
  the same way for one that does.
- **Seen.** `outbox_waiting` and `outbox_lag_seconds` ([metrics.md](metrics.md)) show what waits, and
  `outbox_events_total` what became of it.

Mails go to the tenant's founders whose address is confirmed; `payment_paid` to whoever has paid. Deleted 30 days after they were passed on
([retention.md](retention.md)).";

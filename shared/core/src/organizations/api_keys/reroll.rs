//! A new secret for a key, while the old one lives on for a while.

use serde_json::json;

use super::key;
use super::service::{one, record};
use super::store::{END_BEFORE, RECORD_CREATED, REPLACE, REROLL};
use crate::fields::Fields;
use crate::http::{Code, Context, Error, Guarded, Interrupt, Reply};
use crate::port::Platform;
use crate::tenancy::LOCK;
use crate::time::{Millis, SECOND};

/// Longest time in which both secrets are accepted, in seconds.
const MAX_OVERLAP: i64 = 86_400;

const NOT_LIVE: &str = "Only a live key that was not rerolled before can be rerolled.";

/// Makes a key with the rights and the end of another, which ends after the overlap. The new one
/// belongs to whoever asked for it, because they know its secret. A replayed answer has no key
/// in it.
pub(in super::super) async fn reroll<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let overlap = if cx.request.body.is_empty() {
        0
    } else {
        let mut fields = Fields::parse(cx.request.body)?;
        let overlap = fields.opt_int("overlap_seconds", 0, MAX_OVERLAP)?;
        fields.finish()?;
        overlap.unwrap_or(0)
    };
    let (actor, old) = one(cx).await?;
    let new = key::make(old.environment, cx.random()?, cx.random()?);
    let id = new.credential.id.as_str();
    let end = cx.now.plus(overlap.saturating_mul(SECOND));
    let old_end = match old.expires_at {
        Some(before) if before.0 < end.0 => before,
        _ => end,
    };
    let change = REROLL.bind(
        &actor.tenant,
        [
            old.id.as_str().into(),
            id.into(),
            actor.user.as_str().into(),
            new.credential.secret_hash.as_str().into(),
            cx.now.into(),
        ],
    );
    let both = |time: Millis| [old.id.as_str().into(), id.into(), time.into()];
    let made = json!({"after": {"replaces": old.id, "overlapEndsAt": old_end.rfc3339()}});
    let guarded = Guarded {
        lock: Some(LOCK.bind(&actor.tenant, [])),
        change,
        record: record(
            cx,
            &actor,
            &RECORD_CREATED,
            "api_key.reroll",
            id,
            Some(&made),
        )?,
        rest: vec![
            REPLACE.bind(&actor.tenant, both(end)),
            END_BEFORE.bind(&actor.tenant, both(cx.now)),
        ],
    };
    let fresh = old.rerolled(id, &actor.user, cx.now);
    let (reply, kept) = fresh.created(&new.text, cx.now, |shown| {
        shown.insert("replaces".to_owned(), old.id.as_str().into());
        shown.insert("overlapEndsAt".to_owned(), old_end.rfc3339().into());
    });
    let made = cx.commit_guarded(&actor, guarded, reply, &kept).await?;
    Ok(made.ok_or_else(|| Error::new(Code::StateConflict).with_message(NOT_LIVE))?)
}

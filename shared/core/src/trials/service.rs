//! What is shown of trials, and their extension.

use serde_json::{Value as Json, json};

use super::stage::{Stage, days_left, next_days};
use super::store::{EXTEND, FIND, MAILS, RECORD_EXTENDED, STATS};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::id::is_id;
use crate::outbox::{Event, Topic};
use crate::port::{DatabaseError, Platform};
use crate::sql::Row;
use crate::tenancy::TenantId;
use crate::time::{DAY, Millis};

/// A trial ends within so many milliseconds of its extension.
const LONGEST: i64 = 365 * DAY;

/// A row of [`super::OWN`], as it stands at `now`; null for who never had a trial.
pub(crate) fn shown(rows: &[Row], now: Millis) -> Result<Json, DatabaseError> {
    let Some(row) = rows.first() else {
        return Ok(Json::Null);
    };
    let ends = Millis(row.int(2)?);
    let state = match row.text(3)? {
        "converted" => "converted",
        "expired" => "expired",
        // The task may be up to a minute late.
        _ if Stage::at(ends, now) == Stage::Over => "expired",
        _ => "active",
    };
    let left = if state == "active" {
        days_left(ends, now)
    } else {
        0
    };
    Ok(json!({
        "plan": row.text(0)?,
        "startedAt": Millis(row.int(1)?).rfc3339(),
        "endsAt": ends.rfc3339(),
        "state": state,
        "daysLeft": left,
    }))
}

/// `GET /api/v1/trials/stats`, for services.
pub(crate) async fn stats<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let [tomorrow, after] = next_days(cx.now);
    let reads = [
        STATS.bind([cx.now.into(), tomorrow.into(), after.into()]),
        MAILS.bind([]),
    ];
    let rows = cx.batch(&reads).await?;
    let [counts, mails] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    let counts = counts
        .first()
        .ok_or_else(|| DatabaseError::Shape("no counts".to_owned()))?;
    let (expired, converted) = (counts.int(3)?, counts.int(4)?);
    let (mut sent, mut failed) = (0_i64, 0_i64);
    for row in mails {
        let (template, result) = row.text(0)?.split_once(' ').unwrap_or_default();
        let value = row.int(1)?;
        match result {
            "sent" if template.starts_with("trial_") => sent = sent.saturating_add(value),
            "given_up" if template.starts_with("trial_") => failed = failed.saturating_add(value),
            _ => {}
        }
    }
    Ok(Reply::ok(&json!({
        "active": counts.int(0)?,
        "expiringToday": counts.int(1)?,
        "expiringTomorrow": counts.int(2)?,
        "expired": expired,
        "converted": converted,
        "conversionPercent": percent(converted, expired),
        "emailsSent": sent,
        "emailsFailed": failed,
    })))
}

/// Of all trials that were decided, those that became paid ones, in whole percent rounded down; null
/// while there is none.
const fn percent(converted: i64, expired: i64) -> Option<i64> {
    let decided = converted.saturating_add(expired);
    converted.saturating_mul(100).checked_div(decided)
}

/// `PUT /api/v1/trials/:tenant`, for services: another end. A trial that has expired goes on; who
/// became a paying customer has no trial to extend.
pub(crate) async fn extend<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let ends = fields.opt_time("endsAt")?;
    fields.finish()?;
    let ends = ends.ok_or_else(|| Error::invalid("endsAt", "Is required."))?;
    if ends <= cx.now || ends.since(cx.now) > LONGEST {
        let rule = "Must be within a year from now.";
        return Err(Error::invalid("endsAt", rule).into());
    }
    let actor = cx.service()?;
    let id = cx.param();
    if !is_id("ten", id) {
        return Err(Error::new(Code::NotFound).into());
    }
    let rows = cx.query(FIND.bind([id.into()])).await?;
    let row = rows.first().ok_or_else(|| Error::new(Code::NotFound))?;
    let tenant = TenantId::proven(row.text(0)?);
    let payload = json!({"ends_at": ends.rfc3339()});
    let event = Event::new(cx, Topic::TRIAL_EXTENDED, &payload)?;
    let entry = Entry {
        tenant: Some(tenant.as_str()),
        actor: &actor,
        action: "trial.extend",
        target: tenant.as_str(),
    };
    let change = json!({"after": {"endsAt": ends.rfc3339()}});
    let mut record = entry.record_change(cx, &RECORD_EXTENDED, &tenant, Some(&change))?;
    record.statement.params.push(event.id.as_str().into());
    let extend = [ends.into(), event.id.as_str().into(), cx.now.into()];
    let batch = [
        EXTEND.bind(&tenant, extend),
        record.statement,
        event.publish_by(&super::store::PUBLISH_STEP, &tenant),
    ];
    let rows = cx.batch(&batch).await?;
    let extended = rows.first().map_or(&[][..], Vec::as_slice);
    if extended.is_empty() {
        let rule = "This organization has no trial, or pays already.";
        return Err(Error::new(Code::StateConflict).with_message(rule).into());
    }
    let trial = shown(extended, cx.now)?;
    Ok(Reply::ok(
        &json!({"tenant": tenant.as_str(), "trial": trial}),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: H-25
    #[test]
    fn the_rate_is_of_what_was_decided() {
        for (converted, expired, rate) in [
            (0, 0, None),
            (0, 3, Some(0)),
            (1, 2, Some(33)),
            (1, 1, Some(50)),
            (7, 0, Some(100)),
        ] {
            assert_eq!(percent(converted, expired), rate);
        }
    }
}

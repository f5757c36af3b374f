//! What a tenant may have: by its plan, or by a limit of its own, which beats the plan's.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::store::{ENTITLEMENTS, OVERRIDE};
use crate::audit::Entry;
use crate::fields::not_json;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::{MAX_INTEGER, Row, Value};
use crate::tenancy::{PlanFeature, PlanFeatures};
use crate::time::{Millis, SECOND};
use crate::usage::quota::{Quota, bounded};

/// What is counted: its name, and the first of its columns in [`ENTITLEMENTS`]: the limit that holds, the tenant's
/// own, how much is used.
const METERED: [(&str, usize); 4] = [
    ("events", 1),
    ("api_keys", 4),
    ("projects", 7),
    ("agents", 10),
];
/// Of rate limits, which are set by their own route.
const RATE_LIMITS: &str = "rate_limits";

/// `GET /api/v1/entitlements`.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let row = read(cx).await?;
    let names = METERED.iter().map(|(name, _)| *name);
    let features = PlanFeature::ALL.into_iter().map(PlanFeature::name);
    let names = names.chain(features).chain([RATE_LIMITS]);
    let shown = names.filter_map(|name| show(cx, &row, name, 1).transpose());
    let shown = shown.collect::<Result<Vec<Json>, DatabaseError>>()?;
    Ok(Reply::ok(
        &json!({"plan": row.text(0)?, "entitlements": shown}),
    ))
}

/// `GET /api/v1/entitlements/:feature?amount=`: whether there is room for so much more.
pub(super) async fn get<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let row = read(cx).await?;
    let amount = match cx.request.query_value("amount")? {
        None => 1,
        Some(text) => {
            let number = text.parse().ok();
            let number = number.filter(|number| (1..=MAX_INTEGER).contains(number));
            number.ok_or_else(|| Error::invalid("amount", "Must be a whole number from 1 on."))?
        }
    };
    let shown = show(cx, &row, cx.param(), amount)?;
    Ok(Reply::ok(&shown.ok_or_else(|| Error::new(Code::NotFound))?))
}

async fn read<P: Platform>(cx: &Context<'_, P>) -> Result<Row, Interrupt> {
    let month = cx.now.month();
    let (_, rows) = cx
        .load(|tenant| vec![ENTITLEMENTS.bind(tenant, [month.as_str().into(), cx.now.into()])])
        .await?;
    let row = rows
        .into_iter()
        .next()
        .and_then(|rows| rows.into_iter().next());
    let row = row.ok_or_else(|| DatabaseError::Shape("no tenant".to_owned()))?;
    Quota {
        used: row.int(3)?,
        limit: row.opt_int(1)?,
    }
    .tell(cx);
    Ok(row)
}

/// One of them; `None` for a name that is none.
fn show<P: Platform>(
    cx: &Context<'_, P>,
    row: &Row,
    name: &str,
    amount: i64,
) -> Result<Option<Json>, DatabaseError> {
    let source = |own: bool| if own { "override" } else { "plan" };
    if let Some((_, at)) = METERED.into_iter().find(|(known, _)| *known == name) {
        let quota = Quota {
            limit: bounded(row.opt_int(at)?),
            used: row.int(at.saturating_add(2))?,
        };
        let own = row.opt_int(at.saturating_add(1))?.is_some();
        let next = cx
            .now
            .plus(cx.now.until_next_month().saturating_mul(SECOND));
        // To the second, as the month begins.
        let next = Millis(next.seconds().saturating_mul(SECOND));
        return Ok(Some(json!({
            "feature": name,
            "type": "metered",
            "hasAccess": quota.remaining().is_none_or(|left| left >= amount),
            "value": quota.limit,
            "used": quota.used,
            "remaining": quota.remaining(),
            "resetAt": (at == 1).then(|| next.rfc3339()),
            "source": source(own),
        })));
    }
    if name == RATE_LIMITS {
        let (plan, own) = (row.opt_text(15)?, row.opt_text(16)?);
        return Ok(Some(json!({
            "feature": name,
            "type": "static",
            "hasAccess": true,
            "value": own.or(plan),
            "source": source(own.is_some()),
        })));
    }
    let feature = PlanFeature::ALL.into_iter().find(|one| one.name() == name);
    let Some(feature) = feature else {
        return Ok(None);
    };
    let own = row.opt_text(14)?.unwrap_or_default();
    let all = PlanFeatures::stored(&[row.text(13)?, own].join(" "));
    let named = |word: &str| word.strip_prefix('-').unwrap_or(word) == name;
    Ok(Some(json!({
        "feature": name,
        "type": "boolean",
        "hasAccess": all.has(feature),
        "value": all.has(feature),
        "source": source(own.split(' ').any(named)),
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    value: Json,
}

/// `PUT /api/v1/entitlements/:feature`: gives a tenant a limit or a feature of its own, or takes one away.
pub(super) async fn set<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let wanted: Wanted =
        serde_json::from_slice(cx.request.body).map_err(|error| not_json(&error))?;
    let name = cx.param();
    if METERED.iter().any(|(known, _)| *known == name) {
        let most = match &wanted.value {
            Json::Null => Some(MAX_INTEGER),
            value => value
                .as_i64()
                .filter(|most| (0..MAX_INTEGER).contains(most)),
        };
        let rule = "Must be a whole number from 0 on, or null for any number.";
        let most = most.ok_or_else(|| Error::invalid("value", rule))?;
        return change(cx, "entitlement.set", most.into(), "").await;
    }
    let feature = PlanFeature::ALL.into_iter().find(|one| one.name() == name);
    if feature.is_none() {
        return Err(Error::new(Code::NotFound).into());
    }
    let on = wanted.value.as_bool();
    let on = on.ok_or_else(|| Error::invalid("value", "Must be true or false."))?;
    let word = if on {
        name.to_owned()
    } else {
        ["-", name].concat()
    };
    change(cx, "entitlement.set", Value::Null, &word).await
}

/// `DELETE /api/v1/entitlements/:feature`: the plan's holds again.
pub(super) async fn reset<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let name = cx.param();
    let mut names = METERED.iter().map(|(known, _)| *known);
    let features = PlanFeature::ALL.into_iter().map(PlanFeature::name);
    if !names.by_ref().chain(features).any(|known| known == name) {
        return Err(Error::new(Code::NotFound).into());
    }
    change(cx, "entitlement.reset", Value::Null, "").await
}

async fn change<P: Platform>(
    cx: &Context<'_, P>,
    action: &'static str,
    most: Value,
    word: &str,
) -> Result<Reply, Interrupt> {
    let actor = cx.service()?;
    let tenant = cx.require_tenant().await?.tenant;
    let name = cx.param();
    let entry = Entry {
        tenant: Some(tenant.as_str()),
        actor: &actor,
        action,
        target: name,
    };
    let update = OVERRIDE.bind(&tenant, [name.into(), most, word.into(), cx.now.into()]);
    let month = cx.now.month();
    let now = ENTITLEMENTS.bind(&tenant, [month.into(), cx.now.into()]);
    let rows = cx.batch(&[update, entry.append(cx)?, now]).await?;
    let row = rows.last().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| Error::new(Code::NotFound))?;
    let shown = show(cx, row, name, 1)?;
    Ok(Reply::ok(&shown.ok_or_else(|| Error::new(Code::NotFound))?))
}

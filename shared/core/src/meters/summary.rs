//! Totals of a month, and how much of the quota is left.

use serde_json::{Value as Json, json};

use super::store::TOTALS;
use crate::http::{Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::time::Millis;
use crate::usage::quota::Quota;
use crate::usage::store::QUOTA;

/// `GET /api/v1/usage/summary?month=2026-11`; without a month the current one. The quota counts
/// events by the month they were received in, the totals by the month they happened in.
pub(super) async fn summary<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let month = cx
        .request
        .query_value("month")?
        .unwrap_or_else(|| cx.now.month());
    let (from, to) = bounds(&month)
        .ok_or_else(|| Error::invalid("month", "Must be a month such as 2026-11."))?;
    let (_, rows) = cx
        .load(|tenant| {
            vec![
                QUOTA.bind(tenant, [month.as_str().into()]),
                TOTALS.bind(tenant, [from.into(), to.into()]),
            ]
        })
        .await?;
    let [quota, totals] = rows.as_slice() else {
        return Err(DatabaseError::Shape("two results were expected".to_owned()).into());
    };
    let quota = quota
        .first()
        .ok_or_else(|| DatabaseError::Shape("no tenant".to_owned()))?;
    let quota = Quota::read(quota)?;
    let meters = totals
        .iter()
        .map(|row| {
            Ok(json!({"meter": row.text(0)?, "quantity": row.int(1)?, "events": row.int(2)?}))
        })
        .collect::<Result<Vec<Json>, DatabaseError>>()?;
    Ok(Reply::ok(&json!({
        "month": month,
        "events": quota.used,
        "limit": quota.limit,
        "remaining": quota.remaining(),
        "meters": meters,
    })))
}

/// First moment of a month and of the next.
pub(crate) fn bounds(month: &str) -> Option<(Millis, Millis)> {
    let (year, number) = month.split_once('-')?;
    if year.len() != 4 || number.len() != 2 {
        return None;
    }
    // Numbers parse with a sign, which is no month.
    if !year
        .bytes()
        .chain(number.bytes())
        .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let (year, number): (i32, i32) = (year.parse().ok()?, number.parse().ok()?);
    let start =
        |year: i32, month: i32| Millis::parse(&format!("{year:04}-{month:02}-01T00:00:00Z"));
    let (next_year, next) = if number == 12 {
        (year.checked_add(1)?, 1)
    } else {
        (year, number.checked_add(1)?)
    };
    Some((start(year, number)?, start(next_year, next)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_have_their_bounds() {
        let (from, to) = bounds("2026-12").unwrap();
        assert_eq!(
            (from.rfc3339().as_str(), to.rfc3339().as_str()),
            ("2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z")
        );
        for bad in [
            "2026-13", "2026-00", "2026", "26-01", "2026-1", "9999-12", "-001-01", "aaaa-bb",
            "2026-+1", "+026-11",
        ] {
            assert_eq!(bounds(bad), None, "{bad}");
        }
    }
}

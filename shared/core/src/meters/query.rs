//! What a meter says, window by window, in one round trip.
//!
//! Sums and counts come from the rollup by hours, as far back as it goes. What it cannot answer (other
//! aggregations, properties, groups, a subject, windows that begin within an hour) is read from the events,
//! of a period with at most [`MAX_EVENTS`] of them (docs/decisions/0019-queries-of-usage.md). Which of the two holds is
//! decided in SQL, where the definition is read.

use serde_json::{Value as Json, json};

use super::store::{BY_EVENTS, BY_HOURS, EVENTS_THERE, GET};
use super::window::{Size, are_whole_hours};
use super::zone::Zone;
use crate::http::{Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Statement};
use crate::tenancy::TenantId;
use crate::time::{DAY, Millis};
use crate::usage::event::is_property;

/// Events of the tenant that a query may read, whatever their meter.
const MAX_EVENTS: i64 = 100_000;
/// Values of an answer.
const MAX_VALUES: usize = 10_000;

/// What is asked.
struct Asked {
    meter: String,
    zone: String,
    size: Size,
    windows: Vec<(i64, i64)>,
    subject: Option<String>,
    group: Option<String>,
}

/// How the meter is read.
struct Definition<'r> {
    aggregation: &'r str,
    unit: Option<&'r str>,
    by_events: bool,
}

/// `GET /api/v1/usage/query?meter=&from=&to=&window=&time_zone=&group_by=&subject=`.
pub(super) async fn query<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let asked = match Asked::read(cx) {
        Ok(asked) => asked,
        // Only who may ask learns what is wrong with the question.
        Err(error) => {
            cx.load(|_| Vec::new()).await?;
            return Err(error.into());
        }
    };
    let windows = json!(asked.windows).to_string();
    let (_, rows) = cx.load(|tenant| asked.statements(tenant, &windows)).await?;
    let [definition, hours, events, there] = rows.as_slice() else {
        return Err(DatabaseError::Shape("four results were expected".to_owned()).into());
    };
    let definition = asked.judge(definition.first())?;
    let values = if definition.by_events {
        let there = there.first().map(|row| row.int(0)).transpose()?;
        if there.is_some_and(|count| count > MAX_EVENTS) {
            let rule = format!(
                "This is read from the events, and the period has more than {MAX_EVENTS} of them: ask \
                 for less at a time."
            );
            return Err(Error::invalid("from", rule).into());
        }
        if events.len() > MAX_VALUES {
            let rule = format!("There are more than {MAX_VALUES} values: ask for less at a time.");
            return Err(Error::invalid("group_by", rule).into());
        }
        asked.grouped(events, definition.aggregation)?
    } else {
        asked.plain(hours, definition.aggregation)?
    };
    let time = |at: Option<i64>| at.map(|at| Millis(at).rfc3339());
    Ok(Reply::ok(&json!({
        "meter": asked.meter,
        "aggregation": definition.aggregation,
        "unit": definition.unit,
        "window": asked.size.name(),
        "timeZone": asked.zone,
        "groupBy": asked.group,
        "subject": asked.subject,
        "from": time(asked.windows.first().map(|window| window.0)),
        "to": time(asked.windows.last().map(|window| window.1)),
        "values": values,
    })))
}

impl Asked {
    fn read<P: Platform>(cx: &Context<'_, P>) -> Result<Self, Error> {
        let request = &cx.request;
        let text = |name: &'static str| {
            let value = request.query_value(name)?;
            let odd = |text: &String| {
                text.is_empty() || text.len() > 200 || text.chars().any(char::is_control)
            };
            if value.as_ref().is_some_and(odd) {
                let rule = "Must have 1 to 200 bytes without control characters.";
                return Err(Error::invalid(name, rule));
            }
            Ok(value)
        };
        let meter = text("meter")?.ok_or_else(|| Error::invalid("meter", "Is required."))?;
        let zone_name = text("time_zone")?.unwrap_or_else(|| "UTC".to_owned());
        let zone = Zone::parse(&zone_name).ok_or_else(|| {
            let rule = "Must be a time zone such as Europe/Berlin, or an offset such as +02:00.";
            Error::invalid("time_zone", rule)
        })?;
        let size = text("window")?.map_or(Some(Size::Day), |name| Size::parse(&name));
        let size = size.ok_or_else(|| Error::invalid("window", "Must be hour, day or month."))?;
        let to = request.query_time("to", cx.now)?;
        let from = request.query_time("from", to.minus(30 * DAY))?;
        let windows = size
            .windows(&zone, from, to)
            .ok_or_else(|| Error::invalid("to", "Must lie after from, by at most 1000 windows."))?;
        let group = text("group_by")?;
        if group.as_deref().is_some_and(|name| !is_property(name)) {
            let rule = "Must be subject, or a property that the meter may be grouped by.";
            return Err(Error::invalid("group_by", rule));
        }
        Ok(Self {
            meter,
            zone: zone_name,
            size,
            windows,
            subject: text("subject")?,
            group,
        })
    }

    /// Whether the rollup cannot answer, however the meter is defined.
    fn forced(&self) -> bool {
        self.subject.is_some() || self.group.is_some() || !are_whole_hours(&self.windows)
    }

    fn statements(&self, tenant: &TenantId, windows: &str) -> Vec<Statement> {
        let forced = i64::from(self.forced());
        let from = self.windows.first().map_or(0, |window| window.0);
        let to = self.windows.last().map_or(0, |window| window.1);
        let too_many = MAX_EVENTS.saturating_add(1);
        let rows = i64::try_from(MAX_VALUES).unwrap_or(0).saturating_add(1);
        let meter = self.meter.as_str();
        vec![
            GET.bind(tenant, [meter.into()]),
            BY_HOURS.bind(tenant, [meter.into(), windows.into(), forced.into()]),
            BY_EVENTS.bind(
                tenant,
                [
                    meter.into(),
                    windows.into(),
                    forced.into(),
                    self.subject.as_deref().into(),
                    self.group.as_deref().unwrap_or_default().into(),
                    from.into(),
                    to.into(),
                    too_many.into(),
                    rows.into(),
                ],
            ),
            EVENTS_THERE.bind(tenant, [from.into(), to.into(), too_many.into()]),
        ]
    }

    /// # Errors
    /// `VALIDATION` for a group that the meter's definition does not name.
    fn judge<'r>(&self, row: Option<&'r Row>) -> Result<Definition<'r>, Error> {
        let (aggregation, property, groups, unit) = match row {
            None => ("sum", None, "", None),
            Some(row) => (
                row.text(2)?,
                row.opt_text(3)?,
                row.text(4)?,
                row.opt_text(5)?,
            ),
        };
        if let Some(group) = &self.group
            && group != "subject"
            && !groups.split(' ').any(|name| name == group)
        {
            let rule = "Must be subject, or a property that the meter may be grouped by.";
            return Err(Error::invalid("group_by", rule));
        }
        let additive = matches!(aggregation, "sum" | "count");
        Ok(Definition {
            aggregation,
            unit,
            by_events: self.forced() || property.is_some() || !additive,
        })
    }

    /// A value for every window, from the rollup.
    fn plain(&self, rows: &[Row], aggregation: &str) -> Result<Vec<Json>, DatabaseError> {
        let column = if aggregation == "count" { 2 } else { 1 };
        let mut values: Vec<i64> = vec![0; self.windows.len()];
        for row in rows {
            if let Some(value) = position(row).and_then(|at| values.get_mut(at)) {
                *value = row.int(column)?;
            }
        }
        let told = self.windows.iter().zip(values);
        Ok(told
            .map(|(window, value)| shown(*window, None, &value.into()))
            .collect())
    }

    /// A value for every window, or for every group that a window has, from the events.
    fn grouped(&self, rows: &[Row], aggregation: &str) -> Result<Vec<Json>, DatabaseError> {
        let mut values = Vec::new();
        let mut rows = rows.iter().peekable();
        for (at, window) in self.windows.iter().enumerate() {
            let before = values.len();
            while let Some(row) = rows.next_if(|row| position(row) == Some(at)) {
                let value = match aggregation {
                    "sum" => json!(row.opt_int(2)?.unwrap_or(0)),
                    "count" => json!(row.int(3)?),
                    "max" => json!(row.opt_int(4)?),
                    "unique" => json!(row.int(5)?),
                    _ => json!(row.opt_int(6)?),
                };
                let group = self.group.as_ref().map(|_| row.text(1)).transpose()?;
                values.push(shown(*window, group, &value));
            }
            if values.len() == before && self.group.is_none() {
                let none = match aggregation {
                    "max" | "latest" => Json::Null,
                    _ => json!(0),
                };
                values.push(shown(*window, None, &none));
            }
        }
        Ok(values)
    }
}

fn position(row: &Row) -> Option<usize> {
    usize::try_from(row.int(0).ok()?).ok()
}

/// A group is null for events without it; there is none where nothing is grouped.
fn shown((from, to): (i64, i64), group: Option<&str>, value: &Json) -> Json {
    let mut shown = json!({
        "from": Millis(from).rfc3339(),
        "to": Millis(to).rfc3339(),
        "value": value,
    });
    if let (Some(group), Some(object)) = (group, shown.as_object_mut()) {
        let group = (!group.is_empty()).then_some(group);
        object.insert("group".to_owned(), json!(group));
    }
    shown
}

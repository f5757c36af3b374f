//! One usage event, from any of the forms it may arrive in.
//!
//! CloudEvents 1.0 in JSON (`specversion`, `id`, `source`, `type`, `time`, `data.quantity`), or
//! plain JSON (`id`, `meter`, `quantity`, `timestamp`). One, a list, or `{"events":[…]}`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use crate::fields::not_json;
use crate::http::{Code, Error};
use crate::time::{DAY, MINUTE, Millis};

/// Events a request may carry.
pub(crate) const MAX_EVENTS: usize = 1_000;
/// Largest quantity of one event; so that totals stay exact far beyond what a plan allows.
const MAX_QUANTITY: i64 = 1_000_000_000;
/// Oldest and youngest event, as for Stripe's meter events.
const PAST: i64 = 35 * DAY;
const FUTURE: i64 = 5 * MINUTE;
const MAX_TEXT: usize = 200;
/// Members of an event's data that are kept.
const MAX_PROPERTIES: usize = 20;

/// An event that is good to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) source: String,
    pub(crate) id: String,
    pub(crate) meter: String,
    pub(crate) quantity: i64,
    pub(crate) subject: Option<String>,
    pub(crate) occurred_at: Millis,
    /// A JSON object of texts and whole numbers, to group and measure by.
    pub(crate) properties: Option<String>,
    /// The id of the event of the same source whose quantity this one mends.
    pub(crate) corrects: Option<String>,
}

impl Event {
    /// What tells it from others of its tenant.
    pub(crate) fn name(&self) -> (&str, &str) {
        (&self.source, &self.id)
    }

    /// Whether it has what few events have.
    pub(crate) fn has_more(&self) -> bool {
        self.properties.is_some() || self.corrects.is_some()
    }
}

/// Why an event is not good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Refusal {
    pub(crate) field: &'static str,
    #[serde(rename = "message")]
    pub(crate) rule: String,
}

/// An item of a request: the event, or why it is none, with the id as far as it could be read.
pub(crate) type Item = Result<Event, (Option<String>, Refusal)>;

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    specversion: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    #[serde(rename = "type")]
    kind: Option<Cow<'a, str>>,
    meter: Option<Cow<'a, str>>,
    subject: Option<Cow<'a, str>>,
    time: Option<Cow<'a, str>>,
    timestamp: Option<Cow<'a, str>>,
    quantity: Option<&'a RawValue>,
    corrects: Option<Cow<'a, str>>,
    properties: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    quantity: Option<&'a RawValue>,
}

/// Reads a body into items.
///
/// # Errors
/// When the body as a whole is no list of events: not JSON, empty, or too many.
pub(crate) fn read(body: &[u8], now: Millis) -> Result<Vec<Item>, Error> {
    let text = core::str::from_utf8(body)
        .map_err(|_| Error::new(Code::InvalidJson).with_message("The body is not UTF-8 text."))?;
    let items = list(text)?;
    if items.is_empty() || items.len() > MAX_EVENTS {
        let rule = format!("Must hold 1 to {MAX_EVENTS} events.");
        return Err(Error::invalid("events", rule));
    }
    Ok(items
        .into_iter()
        .map(|item| read_item(item.get(), now))
        .collect())
}

/// The items of a body, not read yet. A list is gone through once here: a thousand events are long.
fn list(text: &str) -> Result<Vec<&RawValue>, Error> {
    let whole = || serde_json::from_str::<&RawValue>(text).map_err(|error| not_json(&error));
    match text.trim_ascii_start().as_bytes().first() {
        Some(b'[') => serde_json::from_str(text).map_err(|error| not_json(&error)),
        Some(b'{') => match serde_json::from_str::<Wrapped<'_>>(text) {
            Ok(wrapped) => Ok(wrapped.events),
            Err(_) => Ok(vec![whole()?]),
        },
        _ => {
            whole()?;
            let rule = "The body must be an event or a list of events.";
            Err(Error::invalid("", rule))
        }
    }
}

fn read_item(text: &str, now: Millis) -> Item {
    let raw: Raw<'_> = serde_json::from_str(text).map_err(|_| {
        let rule = "Must be an object whose id, source, meter, subject and time are texts.";
        (None, refusal("event", rule))
    })?;
    let id = raw.id.as_deref().map(str::to_owned);
    check(raw, now).map_err(|refusal| (id, refusal))
}

fn refusal(field: &'static str, rule: impl Into<String>) -> Refusal {
    Refusal {
        field,
        rule: rule.into(),
    }
}

fn check(raw: Raw<'_>, now: Millis) -> Result<Event, Refusal> {
    let cloud = raw.specversion.is_some();
    if raw.specversion.is_some_and(|version| version != "1.0") {
        return Err(refusal("specversion", "Must be 1.0."));
    }
    let source = match raw.source {
        Some(source) => plain("source", source)?,
        None if cloud => return Err(refusal("source", "Is required by CloudEvents.")),
        None => "api".to_owned(),
    };
    let (meter_field, meter) = if cloud {
        ("type", raw.kind)
    } else {
        ("meter", raw.meter)
    };
    let (time_field, time) = if cloud {
        ("time", raw.time)
    } else {
        ("timestamp", raw.timestamp)
    };
    let (quantity, properties) = if cloud {
        (from_data(raw.data)?, raw.data)
    } else {
        (raw.quantity, raw.properties)
    };
    let corrects = raw.corrects.map(|id| plain("corrects", id)).transpose()?;
    Ok(Event {
        source,
        id: required("id", raw.id)?,
        meter: required(meter_field, meter)?,
        quantity: read_quantity(quantity, corrects.is_some())?,
        subject: raw
            .subject
            .map(|subject| plain("subject", subject))
            .transpose()?,
        occurred_at: read_time(time_field, time, now)?,
        properties: properties.map(read_properties).transpose()?.flatten(),
        corrects,
    })
}

/// `data.quantity`, if there is data at all; other members of data are the sender's own.
fn from_data(data: Option<&RawValue>) -> Result<Option<&RawValue>, Refusal> {
    match data {
        None => Ok(None),
        Some(data) => serde_json::from_str::<Data<'_>>(data.get())
            .map(|data| data.quantity)
            .map_err(|_| refusal("data", "Must be an object with a quantity.")),
    }
}

fn required(field: &'static str, value: Option<Cow<'_, str>>) -> Result<String, Refusal> {
    plain(field, value.ok_or_else(|| refusal(field, "Is required."))?)
}

fn plain(field: &'static str, value: Cow<'_, str>) -> Result<String, Refusal> {
    let sound =
        !value.is_empty() && value.len() <= MAX_TEXT && !value.chars().any(char::is_control);
    if sound {
        Ok(value.into_owned())
    } else {
        let rule = format!("Must have 1 to {MAX_TEXT} bytes without control characters.");
        Err(refusal(field, rule))
    }
}

/// A correction says by how much, and that may be less than nothing.
fn read_quantity(raw: Option<&RawValue>, correction: bool) -> Result<i64, Refusal> {
    let least = if correction { -MAX_QUANTITY } else { 0 };
    let Some(raw) = raw else {
        return if correction {
            Err(refusal("quantity", "Is required of a correction."))
        } else {
            Ok(1)
        };
    };
    match serde_json::from_str::<i64>(raw.get()) {
        Ok(quantity) if (least..=MAX_QUANTITY).contains(&quantity) => Ok(quantity),
        _ => Err(refusal(
            "quantity",
            format!("Must be a whole number from {least} to {MAX_QUANTITY}."),
        )),
    }
}

/// What is kept of an event's data: members with a plain name whose value is a short text, a whole
/// number that a quantity may be, or true or false, which are kept as texts; at most
/// [`MAX_PROPERTIES`], the first by name. The rest is the sender's own.
fn read_properties(raw: &RawValue) -> Result<Option<String>, Refusal> {
    // The usual data is a quantity and nothing else.
    if raw.get().bytes().filter(|byte| *byte == b':').count() < 2
        && raw.get().contains("\"quantity\"")
    {
        return Ok(None);
    }
    let members: BTreeMap<String, Json> =
        serde_json::from_str(raw.get()).map_err(|_| refusal("properties", "Must be an object."))?;
    let kept = members.into_iter().filter_map(|(name, value)| {
        let value = keep(value)?;
        (name != "quantity" && is_property(&name)).then_some((name, value))
    });
    let kept: Map<String, Json> = kept.take(MAX_PROPERTIES).collect();
    Ok((!kept.is_empty()).then(|| Json::Object(kept).to_string()))
}

fn keep(value: Json) -> Option<Json> {
    match value {
        Json::Bool(yes) => Some(if yes { "true" } else { "false" }.into()),
        Json::Number(number) => {
            let number = number.as_i64()?;
            (-MAX_QUANTITY..=MAX_QUANTITY)
                .contains(&number)
                .then(|| number.into())
        }
        Json::String(text) => {
            let sound = text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
            sound.then_some(Json::String(text))
        }
        _ => None,
    }
}

/// Whether a property may be called so: letters, digits and underscores, which mean the same to every
/// database.
pub(crate) fn is_property(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn read_time(
    field: &'static str,
    value: Option<Cow<'_, str>>,
    now: Millis,
) -> Result<Millis, Refusal> {
    let Some(text) = value else { return Ok(now) };
    let time = Millis::parse(&text).ok_or_else(|| {
        refusal(
            field,
            "Must be a date and time that exists, as in RFC 3339.",
        )
    })?;
    let age = now.since(time);
    if (-FUTURE..=PAST).contains(&age) {
        Ok(time)
    } else {
        Err(refusal(
            field,
            "Must lie within the last 35 days and the next 5 minutes.",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_760_000_000_000);

    fn one(text: &str) -> Item {
        read(text.as_bytes(), NOW).unwrap().remove(0)
    }

    fn field(text: &str) -> &'static str {
        one(text).unwrap_err().1.field
    }

    #[test]
    fn both_forms_give_the_same_event() {
        let plain = one(r#"{"id":"1","source":"web","meter":"calls","quantity":3}"#).unwrap();
        let cloud = one(
            r#"{"specversion":"1.0","id":"1","source":"web","type":"calls","data":{"quantity":3,"x":[]}}"#,
        )
        .unwrap();
        assert_eq!(plain, cloud);
        assert_eq!((plain.quantity, plain.occurred_at), (3, NOW));
    }

    #[test]
    fn data_is_kept_as_far_as_every_database_reads_it_alike() {
        let event = one(
            r#"{"specversion":"1.0","id":"1","source":"web","type":"calls","data":{"quantity":3,
            "model":"a\"b","tokens":12,"cached":true,"deep":{"x":1},"none":null,"part":1.5,
            "big":9007199254740993,"odd name":"x","line":"a\nb"}}"#,
        )
        .unwrap();
        assert_eq!(
            event.properties.as_deref(),
            Some(r#"{"cached":"true","model":"a\"b","tokens":12}"#)
        );
        let event = one(r#"{"id":"1","meter":"m","properties":{"quantity":7}}"#).unwrap();
        assert_eq!((event.quantity, event.properties), (1, None));
        let event = one(r#"{"id":"1","meter":"m","properties":{"region":"eu"}}"#).unwrap();
        assert_eq!(event.properties.as_deref(), Some(r#"{"region":"eu"}"#));
        assert_eq!(
            field(r#"{"id":"1","meter":"m","properties":[1,2]}"#),
            "properties"
        );
    }

    /// Rows: J-03
    #[test]
    fn only_corrections_take_away() {
        let event = one(r#"{"id":"2","meter":"m","quantity":-5,"corrects":"1"}"#).unwrap();
        assert_eq!((event.quantity, event.corrects.as_deref()), (-5, Some("1")));
        assert_eq!(field(r#"{"id":"2","meter":"m","quantity":-5}"#), "quantity");
        assert_eq!(
            field(r#"{"id":"2","meter":"m","corrects":"1"}"#),
            "quantity"
        );
        assert_eq!(
            field(r#"{"id":"2","meter":"m","quantity":-1000000001,"corrects":"1"}"#),
            "quantity"
        );
        assert_eq!(
            field(r#"{"id":"2","meter":"m","quantity":1,"corrects":""}"#),
            "corrects"
        );
    }

    #[test]
    fn lists_and_wrapped_lists_are_read() {
        let item = r#"{"id":"1","meter":"m"}"#;
        for body in [
            format!("[{item},{item}]"),
            format!("{{\"events\":[{item},{item}]}}"),
        ] {
            assert_eq!(read(body.as_bytes(), NOW).unwrap().len(), 2);
        }
    }

    #[test]
    fn one_bad_item_does_not_spoil_the_others() {
        let items = read(
            br#"[{"id":"1","meter":"m"},7,{"id":2},{"id":"3","meter":"m"}]"#,
            NOW,
        )
        .unwrap();
        assert_eq!(
            items.iter().map(Result::is_ok).collect::<Vec<_>>(),
            [true, false, false, true]
        );
    }

    #[test]
    fn refusals_name_the_field() {
        assert_eq!(field(r#"{"meter":"m"}"#), "id");
        assert_eq!(field(r#"{"id":"1"}"#), "meter");
        assert_eq!(field(r#"{"id":"1\u0000","meter":"m"}"#), "id");
        for quantity in [
            "-1",
            "1.5",
            "9007199254740993",
            "\"1\"",
            "1e3",
            "99999999999999999999",
        ] {
            let text = format!(r#"{{"id":"1","meter":"m","quantity":{quantity}}}"#);
            assert_eq!(field(&text), "quantity", "{quantity}");
        }
        for time in [
            "2025-02-30T00:00:00Z",
            "2020-01-01T00:00:00Z",
            "2099-01-01T00:00:00Z",
            "x",
        ] {
            let text = format!(r#"{{"id":"1","meter":"m","timestamp":"{time}"}}"#);
            assert_eq!(field(&text), "timestamp", "{time}");
        }
        assert_eq!(field(r#"{"specversion":"0.3","id":"1"}"#), "specversion");
        assert_eq!(
            field(r#"{"specversion":"1.0","id":"1","source":"a","type":"m","data":[]}"#),
            "data"
        );
    }

    #[test]
    fn what_is_no_list_is_refused_as_a_whole() {
        for body in [
            &b""[..],
            b"[]",
            b"7",
            b"null",
            b"{\"events\":[]}",
            b"[1",
            b"\xff",
            b"[[[[",
        ] {
            assert!(read(body, NOW).is_err(), "{body:?}");
        }
        let many = format!("[{}1]", "1,".repeat(MAX_EVENTS));
        assert!(read(many.as_bytes(), NOW).is_err());
    }
}

//! Parameters, which are forms with paths for names: `items[0][price]`, `expand[]`.

use serde_json::{Map, Value, json};

use crate::Result;
use crate::refusal::Refused;

/// Reads a form or a query. Numbers in a path are names, and `[]` counts up; all values are texts.
pub fn parse(text: &str) -> Value {
    let mut all = Map::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let mut parts = name.split('[').map(|part| part.trim_end_matches(']'));
        let first = parts.next().unwrap_or_default().to_owned();
        put(&mut all, first, &parts.collect::<Vec<_>>(), &value);
    }
    Value::Object(all)
}

fn put(into: &mut Map<String, Value>, name: String, rest: &[&str], value: &str) {
    let name = if name.is_empty() {
        into.len().to_string()
    } else {
        name
    };
    let [next, rest @ ..] = rest else {
        into.insert(name, json!(value));
        return;
    };
    let inner = into.entry(name).or_insert_with(|| json!({}));
    if let Some(inner) = inner.as_object_mut() {
        put(inner, (*next).to_owned(), rest, value);
    }
}

/// Refuses what is not in the list, as Stripe does.
pub(crate) fn only(params: &Value, known: &[&str]) -> Result<()> {
    let names = params.as_object().into_iter().flatten();
    for (name, _) in names {
        if !known.contains(&name.as_str()) {
            let message = format!("Received unknown parameter: {name}");
            return Err(Refused::coded("parameter_unknown", &message));
        }
    }
    Ok(())
}

/// A text that must be there.
pub(crate) fn text<'a>(params: &'a Value, name: &str) -> Result<&'a str> {
    params[name]
        .as_str()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| {
            let message = format!("Missing required param: {name}.");
            Refused::coded("parameter_missing", &message)
        })
}

/// A whole number that must be there.
pub(crate) fn number(params: &Value, name: &str) -> Result<i64> {
    let text = text(params, name)?;
    let message = || {
        Refused::coded(
            "parameter_invalid_integer",
            &format!("Invalid integer: {name}"),
        )
    };
    text.parse().map_err(|_| message())
}

/// `true`, `false`, or nothing.
pub(crate) fn flag(params: &Value, name: &str) -> Result<Option<bool>> {
    match params[name].as_str() {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Refused::invalid(&format!("Invalid boolean: {name}"))),
    }
}

/// The values of a list, in order.
pub(crate) fn items(params: &Value) -> Vec<&Value> {
    let mut all: Vec<_> = params.as_object().into_iter().flatten().collect();
    all.sort_by_key(|(name, _)| name.parse::<u32>().unwrap_or(u32::MAX));
    all.into_iter().map(|(_, value)| value).collect()
}

/// Puts new metadata over old; an empty value takes one away.
pub(crate) fn metadata(object: &mut Value, params: &Value) {
    for (name, value) in params["metadata"].as_object().into_iter().flatten() {
        if value == "" {
            object["metadata"].as_object_mut().unwrap().remove(name);
        } else {
            object["metadata"][name] = value.clone();
        }
    }
}

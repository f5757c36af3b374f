//! What is drawn.

use arbtest::arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

/// A text put together of these pieces and of any characters, so that some come near to what is right.
pub(crate) fn text(u: &mut Unstructured<'_>, pieces: &[&str]) -> Result<String> {
    let mut text = String::new();
    for _ in 0..u.int_in_range(0..=6)? {
        match u.int_in_range(0..=9)? {
            0 => text.push(u.arbitrary()?),
            1 => text.push(char::from(u.int_in_range(0x20..=0x7e)?)),
            2 => text = text.repeat(u.int_in_range(0..=3)?),
            _ => text.push_str(u.choose(pieces)?),
        }
    }
    Ok(text)
}

/// The text with one thing changed somewhere; the same text where the change changes nothing.
pub(crate) fn changed(u: &mut Unstructured<'_>, text: &str) -> Result<String> {
    let mut all: Vec<char> = text.chars().collect();
    if all.is_empty() {
        return Ok("x".to_owned());
    }
    let at = u.choose_index(all.len())?;
    let other = char::from(u.int_in_range(0x21..=0x7e)?);
    match u.int_in_range(0..=5)? {
        0 => all[at] = other,
        1 => all.insert(at, other),
        2 => drop(all.remove(at)),
        3 => all.truncate(at),
        4 => {
            let with = u.choose_index(all.len())?;
            all.swap(at, with);
        }
        _ => all.push(other),
    }
    Ok(all.into_iter().collect())
}

/// Any JSON, so many levels deep at most.
pub(crate) fn json(u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    Ok(match u.int_in_range(0..=if depth == 0 { 4 } else { 6 })? {
        0 => Value::Null,
        1 => json!(u.arbitrary::<bool>()?),
        2 => json!(u.arbitrary::<i64>()?),
        // With few digits, which every parser of JSON reads alike.
        3 => json!(f64::from(u.arbitrary::<i16>()?) / 4.0),
        4 => json!(text(
            u,
            &["a", "é", "\u{1f680}", "\"", "\\", "'; --", "</script>"]
        )?),
        5 => {
            let items = (0..u.int_in_range(0..=4)?).map(|_| json(u, depth - 1));
            Value::Array(items.collect::<Result<_>>()?)
        }
        _ => Value::Object(object(u, depth - 1)?),
    })
}

pub(crate) fn object(u: &mut Unstructured<'_>, depth: u32) -> Result<Map<String, Value>> {
    let mut members = Map::new();
    for _ in 0..u.int_in_range(0..=4)? {
        members.insert(
            text(u, &["a", "b", "__proto__", "id", "é"])?,
            json(u, depth)?,
        );
    }
    Ok(members)
}

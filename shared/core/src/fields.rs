//! Reading a JSON object field by field, so that every refusal names its field.

use serde_json::{Map, Value};

use crate::http::{Code, Error};
use crate::time::Millis;

/// A body that is not JSON, and where it stops being it.
pub(crate) fn not_json(error: &serde_json::Error) -> Error {
    let message = if (error.line(), error.column()) == (1, 0) {
        "The body is empty; send JSON.".to_owned()
    } else {
        format!(
            "The body is not valid JSON (line {}, column {}).",
            error.line(),
            error.column()
        )
    };
    Error::new(Code::InvalidJson).with_message(message)
}

/// A JSON object from a request body.
#[derive(Debug)]
pub struct Fields {
    object: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// Reads a body. Nesting deeper than 128 is refused by the parser.
    ///
    /// # Errors
    /// `INVALID_JSON` for what is not JSON, `VALIDATION` for JSON that is not an object.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Ok(Self {
                object,
                known: Vec::new(),
            }),
            Ok(_) => Err(Error::invalid("", "The body must be a JSON object.")),
            Err(error) => Err(not_json(&error)),
        }
    }

    /// Like [`Self::parse`], for routes whose every field may be missing: no body is no field.
    pub fn parse_or_empty(body: &[u8]) -> Result<Self, Error> {
        Self::parse(if body.is_empty() { b"{}" } else { body })
    }

    /// Takes a field out; JSON null counts as absent.
    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.object.remove(name).filter(|value| !value.is_null())
    }

    /// A text of `min` to `max` characters without control characters, if present.
    pub fn opt_text(
        &mut self,
        name: &'static str,
        min: usize,
        max: usize,
    ) -> Result<Option<String>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => {
                let length = text.chars().count();
                if length < min || length > max {
                    let rule = format!("Must have {min} to {max} characters.");
                    return Err(Error::invalid(name, rule));
                }
                if text.chars().any(char::is_control) {
                    return Err(Error::invalid(name, "Must not hold control characters."));
                }
                Ok(Some(text))
            }
            Some(_) => Err(Error::invalid(name, "Must be a text.")),
        }
    }

    /// A text that must be there.
    pub fn text(&mut self, name: &'static str, min: usize, max: usize) -> Result<String, Error> {
        self.opt_text(name, min, max)?
            .ok_or_else(|| Error::invalid(name, "Is required."))
    }

    /// A moment in RFC 3339, if present.
    pub fn opt_time(&mut self, name: &'static str) -> Result<Option<Millis>, Error> {
        match self.opt_text(name, 1, 64)? {
            None => Ok(None),
            Some(text) => Millis::parse(&text).map(Some).ok_or_else(|| {
                Error::invalid(
                    name,
                    "Must be a date and time that exists, such as 2026-11-01T00:00:00Z (RFC 3339).",
                )
            }),
        }
    }

    /// A whole number from `min` to `max`, if present.
    pub fn opt_int(
        &mut self,
        name: &'static str,
        min: i64,
        max: i64,
    ) -> Result<Option<i64>, Error> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match value.as_i64() {
            Some(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => {
                let rule = format!("Must be a whole number from {min} to {max}.");
                Err(Error::invalid(name, rule))
            }
        }
    }

    /// `true` or `false`, if present.
    pub fn opt_bool(&mut self, name: &'static str) -> Result<Option<bool>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(Error::invalid(name, "Must be true or false.")),
        }
    }

    /// A list of texts, if present.
    pub fn opt_list(
        &mut self,
        name: &'static str,
        max: usize,
    ) -> Result<Option<Vec<String>>, Error> {
        let refused = || Error::invalid(name, format!("Must be a list of at most {max} texts."));
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(items)) if items.len() <= max => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    _ => Err(refused()),
                })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(refused()),
        }
    }

    /// Whether the field is there with the value null, which then is taken.
    pub fn is_null(&mut self, name: &'static str) -> bool {
        let null = self.object.get(name).is_some_and(Value::is_null);
        if null {
            self.take(name);
        }
        null
    }

    /// An object of the caller's own, if present: at most `max_bytes` of JSON, and at most
    /// `max_depth` objects and lists within each other.
    pub fn opt_free_object(
        &mut self,
        name: &'static str,
        max_bytes: usize,
        max_depth: usize,
    ) -> Result<Option<Value>, Error> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        if !value.is_object() {
            return Err(Error::invalid(name, "Must be an object."));
        }
        if !is_within(&value, max_depth) {
            let rule = format!("Must not be nested more than {max_depth} deep.");
            return Err(Error::invalid(name, rule));
        }
        if value.to_string().len() > max_bytes {
            let rule = format!("Must have at most {max_bytes} bytes as JSON.");
            return Err(Error::invalid(name, rule));
        }
        Ok(Some(value))
    }

    /// An object, if present.
    pub fn opt_object(&mut self, name: &'static str) -> Result<Option<Self>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Self {
                object,
                known: Vec::new(),
            })),
            Some(_) => Err(Error::invalid(name, "Must be an object.")),
        }
    }

    /// Refuses what no one asked for: a misspelt field is a mistake, not a wish to ignore.
    pub fn finish(self) -> Result<(), Error> {
        match self.object.keys().next() {
            None => Ok(()),
            Some(name) => {
                let rule = match self.known.join(", ") {
                    none if none.is_empty() => "Is not known here, nor is any other.".to_owned(),
                    known => format!("Is not known here; known are: {known}."),
                };
                Err(Error::invalid(name, rule))
            }
        }
    }
}

/// Whether `value` has at most `depth` levels of objects and lists. The parser's own limit bounds
/// how deep this goes.
fn is_within(value: &Value, depth: usize) -> bool {
    let next = depth.checked_sub(1);
    match value {
        Value::Array(items) => {
            next.is_some_and(|next| items.iter().all(|item| is_within(item, next)))
        }
        Value::Object(members) => {
            next.is_some_and(|next| members.values().all(|item| is_within(item, next)))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_their_field() {
        let mut fields =
            Fields::parse(br#"{"a":1,"b":"x\u0000","d":"2026-02-30T00:00:00Z"}"#).unwrap();
        assert_eq!(fields.text("a", 1, 5).unwrap_err().field(), Some("a"));
        assert_eq!(fields.text("b", 1, 5).unwrap_err().field(), Some("b"));
        assert_eq!(fields.text("c", 1, 5).unwrap_err().field(), Some("c"));
        assert_eq!(fields.opt_time("d").unwrap_err().field(), Some("d"));
    }

    #[test]
    fn unknown_fields_are_refused() {
        let fields = Fields::parse(br#"{"emial":"x"}"#).unwrap();
        assert_eq!(fields.finish().unwrap_err().field(), Some("emial"));
    }

    #[test]
    fn objects_of_the_callers_own_have_bounds() {
        let read = |body: &str| {
            let mut fields = Fields::parse(body.as_bytes()).unwrap();
            fields.opt_free_object("m", 20, 2)
        };
        assert!(read(r#"{"m":{"a":[1]}}"#).unwrap().is_some());
        for bad in [
            r#"{"m":[]}"#,
            r#"{"m":"{}"}"#,
            r#"{"m":{"a":[[]]}}"#,
            r#"{"m":{"a":"01234567890123"}}"#,
        ] {
            assert_eq!(read(bad).unwrap_err().field(), Some("m"), "{bad}");
        }
        assert!(read(r#"{"m":null}"#).unwrap().is_none());
        let mut fields = Fields::parse(br#"{"m":null,"n":1}"#).unwrap();
        assert!(fields.is_null("m") && !fields.is_null("n") && !fields.is_null("o"));
    }

    #[test]
    fn what_is_no_json_is_told_from_nothing() {
        let told = |body: &[u8]| format!("{:?}", Fields::parse(body).unwrap_err());
        assert!(told(b"").contains("The body is empty"));
        assert!(told(b"{'a':1}").contains("(line 1, column 2)"));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in [&b""[..], b"[]", b"{", b"\xff\xfe", b"null", b"{\"a\":}"] {
            assert!(Fields::parse(body).is_err());
        }
        let deep = "[".repeat(100_000);
        assert!(Fields::parse(deep.as_bytes()).is_err());
    }
}

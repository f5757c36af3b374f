//! One line of the log: a JSON object. It holds neither secrets nor personal data.

use serde_json::{Map, Value as Json};

use crate::port::{Level, Platform};
use crate::time::Millis;

/// A line that is being made. Built by calls and not by `json!`, which would stand in every
/// function as a hundred inlined insertions.
pub(crate) struct Line {
    level: Level,
    fields: Map<String, Json>,
}

impl Line {
    pub(crate) fn new(level: Level, event: &str, now: Millis) -> Self {
        let line = Self {
            level,
            fields: Map::new(),
        };
        line.with("level", level.name())
            .with("time", now.rfc3339())
            .with("event", event)
    }

    /// With one more field, unless it is null.
    #[must_use]
    pub(crate) fn with(self, name: &str, value: impl Into<Json>) -> Self {
        self.put(name, value.into())
    }

    #[inline(never)]
    fn put(mut self, name: &str, value: Json) -> Self {
        if !value.is_null() {
            self.fields.insert(name.to_owned(), value);
        }
        self
    }

    pub(crate) fn write<P: Platform>(self, platform: &P) {
        platform.log(self.level, &Json::Object(self.fields).to_string());
    }
}

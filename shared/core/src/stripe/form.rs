//! Bodies as Stripe's API takes them: `application/x-www-form-urlencoded`, with paths into what is
//! nested as names: `items[0][price]`.

/// A body that is put together.
#[derive(Debug, Default)]
pub struct Form(String);

impl Form {
    /// An empty one.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// With one more pair.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        escape(&mut self.0, name);
        self.0.push('=');
        escape(&mut self.0, value);
        self
    }

    /// With one more pair, if there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With what Stripe keeps for us and sends back with every event.
    #[must_use]
    pub fn with_metadata(self, name: &str, value: &str) -> Self {
        self.with_at(&["metadata", name], value)
    }

    /// With one more pair whose name is a path: `["items", "0", "price"]`.
    #[must_use]
    pub fn with_at(self, path: &[&str], value: &str) -> Self {
        let mut name = String::new();
        for part in path {
            if name.is_empty() {
                name.push_str(part);
            } else {
                name.push('[');
                name.push_str(part);
                name.push(']');
            }
        }
        self.with(&name, value)
    }

    /// The body.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// Escapes a name or a value (WHATWG URL, section 5.2).
pub(super) fn escape(to: &mut String, text: &str) {
    to.extend(form_urlencoded::byte_serialize(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: H-20
    #[test]
    fn names_are_paths_and_everything_is_escaped() {
        let form = Form::new()
            .with("mode", "subscription")
            .with_at(&["items", "0", "price"], "price_1")
            .with_metadata("tenant_id", "ten_1 & co=ü")
            .with_some("coupon", None)
            .with_some("email", Some("a+b@example.com"));
        assert_eq!(
            form.into_text(),
            "mode=subscription&items%5B0%5D%5Bprice%5D=price_1\
             &metadata%5Btenant_id%5D=ten_1+%26+co%3D%C3%BC&email=a%2Bb%40example.com"
        );
    }

    /// What stands in a value never becomes another pair: read back it is what was put in, for
    /// every pair of characters that mean something in a form, and every other byte.
    #[test]
    fn whatever_is_put_in_comes_out() {
        let odd = "&=+%;?#[]/\\\"' \n\r\t\u{0}~*-._aZ09ü🦀";
        for first in odd.chars().chain((0_u8..=255).map(char::from)) {
            for second in odd.chars() {
                let text: String = [first, second, first].into_iter().collect();
                let body = Form::new().with(&text, &text).with("x", &text).into_text();
                assert!(
                    body.is_ascii() && !body.contains([' ', '\n', '[']),
                    "{body}"
                );
                let pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
                let expected = [(text.as_str(), text.as_str()), ("x", text.as_str())];
                let read: Vec<_> = pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
                assert_eq!(read, expected);
            }
        }
    }
}

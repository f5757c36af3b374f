//! A value whose members keep their order: fields are told in the order in which they were written.

use yaml_rust2::Yaml;

/// What a YAML file or a JSON document holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// What a file says, or the first thing in it that JSON has no word for.
    pub(crate) fn from_yaml(yaml: &Yaml) -> Result<Self, String> {
        Ok(match yaml {
            Yaml::Null => Self::Null,
            Yaml::Boolean(value) => Self::Bool(*value),
            Yaml::Integer(value) => Self::Int(*value),
            Yaml::String(text) => Self::Text(text.clone()),
            Yaml::Array(items) => {
                let items = items.iter().map(Self::from_yaml);
                Self::List(items.collect::<Result<_, _>>()?)
            }
            Yaml::Hash(members) => {
                let mut all = Vec::new();
                for (key, value) in members {
                    match (Self::key(key)?, Self::from_yaml(value)?) {
                        // What another map holds, in the place of its name.
                        (key, Self::Map(inner)) if key == "<<" => all.extend(inner),
                        member => all.push(member),
                    }
                }
                Self::Map(all)
            }
            other => return Err(format!("{other:?} has no place here")),
        })
    }

    fn key(yaml: &Yaml) -> Result<String, String> {
        match yaml {
            Yaml::String(text) => Ok(text.clone()),
            // Statuses of answers.
            Yaml::Integer(number) => Ok(number.to_string()),
            other => Err(format!("{other:?} is no name")),
        }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn texts<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(|t| Self::text(t.as_ref())).collect())
    }

    pub(crate) fn map<const N: usize>(members: [(&str, Node); N]) -> Self {
        let members = members.into_iter();
        Self::Map(
            members
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }

    /// `{"$ref": "#/components/…"}`
    pub(crate) fn reference(kind: &str, name: &str) -> Self {
        let target = format!("#/components/{kind}/{name}");
        Self::map([("$ref", Self::text(target))])
    }

    pub(crate) fn members(&self) -> &[(String, Node)] {
        match self {
            Self::Map(members) => members,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Node] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        let found = self.members().iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value)
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a member; folded lines of YAML end with a line feed that means nothing.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Self::as_text).map(str::trim)
    }

    /// Adds a member, or replaces it.
    pub(crate) fn put(&mut self, name: &str, value: Node) {
        let Self::Map(members) = self else { return };
        match members.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => members.push((name.to_owned(), value)),
        }
    }

    /// JSON on one line, without a blank that means nothing.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Text(text) => quoted(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::json).collect();
                format!("[{}]", items.join(","))
            }
            Self::Map(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("{}:{}", quoted(key), value.json()))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    /// JSON for people: what is short stays on a line.
    pub(crate) fn pretty(&self) -> String {
        self.indented("")
    }

    fn indented(&self, indent: &str) -> String {
        const WIDTH: usize = 88;
        let line = self.spaced();
        if line.len().saturating_add(indent.len()) <= WIDTH {
            return line;
        }
        let inner = format!("{indent}  ");
        match self {
            Self::List(items) => {
                let lines = items
                    .iter()
                    .map(|item| format!("{inner}{}", item.indented(&inner)));
                let lines: Vec<_> = lines.collect();
                format!("[\n{}\n{indent}]", lines.join(",\n"))
            }
            Self::Map(members) => {
                let lines = members.iter().map(|(key, value)| {
                    format!("{inner}{}: {}", quoted(key), value.indented(&inner))
                });
                let lines: Vec<_> = lines.collect();
                format!("{{\n{}\n{indent}}}", lines.join(",\n"))
            }
            _ => line,
        }
    }

    fn spaced(&self) -> String {
        match self {
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::spaced).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("{}: {}", quoted(key), value.spaced()))
                    .collect();
                format!("{{{}}}", members.join(", "))
            }
            _ => self.json(),
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

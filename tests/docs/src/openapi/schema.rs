//! The short way in which docs/openapi/*.yaml writes schemas, made into JSON Schema, examples and
//! rows of a table. docs/openapi/README.md explains it to those who write it.

use std::collections::BTreeMap;

use super::node::Node;

/// A moment that every example shares.
pub(crate) const MOMENT: &str = "2026-11-20T10:18:00.000Z";

/// Texts in requests: without control characters (`Fields::opt_text`, `Request::query_value`).
const NO_CONTROL: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// Words of JSON Schema that are taken over as they are.
const KEYWORDS: [&str; 15] = [
    "description",
    "default",
    "enum",
    "const",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "title",
];
/// Our own.
const SHORT: [&str; 7] = ["is", "fields", "list", "values", "oneOf", "example", "open"];

/// All named schemas, as they were written.
pub(crate) type Named = BTreeMap<String, Node>;

/// A kind by its name, and whether null may stand in its place.
struct Kind<'a> {
    name: &'a str,
    nullable: bool,
}

impl<'a> Kind<'a> {
    fn read(text: &'a str) -> Self {
        match text.strip_suffix("|null") {
            Some(name) => Self {
                name,
                nullable: true,
            },
            None => Self {
                name: text,
                nullable: false,
            },
        }
    }

    /// Named schemas have a capital.
    fn reference(&self) -> Option<&'a str> {
        let capital = self.name.starts_with(|c: char| c.is_ascii_uppercase());
        capital.then_some(self.name)
    }

    /// `usr_` is an id that begins so.
    fn prefix(&self) -> Option<&'a str> {
        self.name.ends_with('_').then_some(self.name)
    }

    fn json_type(&self) -> Result<&'a str, String> {
        Ok(match self.name {
            "time" | "email" => "string",
            name if name.ends_with('_') => "string",
            name @ ("string" | "integer" | "boolean" | "object" | "null") => name,
            other => return Err(format!("there is no kind `{other}`")),
        })
    }
}

fn kind_of(schema: &Node) -> Option<Kind<'_>> {
    match schema {
        Node::Text(text) => Some(Kind::read(text)),
        other => other.text_of("is").map(Kind::read),
    }
}

/// The members of `fields`: name, whether it may be absent, schema.
pub(crate) fn fields(schema: &Node) -> impl Iterator<Item = (&str, bool, &Node)> {
    let fields = schema.get("fields").map_or(&[][..], Node::members);
    fields
        .iter()
        .map(|(key, value)| match key.strip_suffix('?') {
            Some(name) => (name, true, value),
            None => (key.as_str(), false, value),
        })
}

/// JSON Schema of what was written. `closed` objects take no member that is not told.
pub(crate) fn lower(schema: &Node, closed: bool, named: &Named) -> Result<Node, String> {
    for (key, _) in schema.members() {
        if !KEYWORDS.contains(&key.as_str()) && !SHORT.contains(&key.as_str()) {
            return Err(format!("`{key}` is no word of a schema"));
        }
    }
    let mut out = match kind_of(schema) {
        Some(kind) => of_kind(&kind, named)?,
        None => Node::Map(Vec::new()),
    };
    if schema.get("fields").is_some() {
        object(schema, closed, named, &mut out)?;
    }
    if let Some(item) = schema.get("list") {
        out.put("type", Node::text("array"));
        out.put("items", lower(item, closed, named)?);
    }
    if let Some(value) = schema.get("values") {
        out.put("type", Node::text("object"));
        out.put("additionalProperties", lower(value, closed, named)?);
    }
    if let Some(choices) = schema.get("oneOf") {
        let choices = choices.items().iter().map(|one| lower(one, closed, named));
        out.put("oneOf", Node::List(choices.collect::<Result<_, _>>()?));
    }
    if out.members().is_empty() && schema.get("enum").is_some() {
        out.put("type", Node::text("string"));
    }
    let nullable = kind_of(schema).is_some_and(|kind| kind.nullable);
    for (key, value) in schema.members() {
        if !KEYWORDS.contains(&key.as_str()) {
            continue;
        }
        let mut value = value.clone();
        if let (Node::List(choices), "enum", true) = (&mut value, key.as_str(), nullable) {
            choices.push(Node::Null);
        }
        if let Node::Text(text) = &value {
            value = Node::text(text.trim());
        }
        out.put(key, value);
    }
    let free = kind_of(schema).is_some_and(|kind| kind.name == "string");
    if closed
        && free
        && !["pattern", "enum"]
            .iter()
            .any(|word| out.get(word).is_some())
    {
        out.put("pattern", Node::text(NO_CONTROL));
    }
    if out.members().is_empty() && *schema != Node::Map(Vec::new()) {
        return Err(format!("{} says nothing", schema.json()));
    }
    Ok(out)
}

fn of_kind(kind: &Kind<'_>, named: &Named) -> Result<Node, String> {
    if let Some(name) = kind.reference() {
        if !named.contains_key(name) {
            return Err(format!("there is no schema `{name}`"));
        }
        let reference = Node::reference("schemas", name);
        if !kind.nullable {
            return Ok(reference);
        }
        let null = Node::map([("type", Node::text("null"))]);
        return Ok(Node::map([("oneOf", Node::List(vec![reference, null]))]));
    }
    let name = kind.json_type()?;
    let mut out = Node::map([("type", Node::text(name))]);
    if kind.nullable {
        out.put("type", Node::texts([name, "null"]));
    }
    match kind.name {
        "time" => out.put("format", Node::text("date-time")),
        "email" => {
            out.put("format", Node::text("email"));
            out.put("maxLength", Node::Int(254));
        }
        _ => {}
    }
    if let Some(prefix) = kind.prefix() {
        out.put("pattern", Node::text(format!("^{prefix}[0-9a-z]+$")));
    }
    Ok(out)
}

fn object(schema: &Node, closed: bool, named: &Named, out: &mut Node) -> Result<(), String> {
    let closed = closed && schema.get("open").is_none();
    let mut properties = Vec::new();
    let mut required = Vec::new();
    for (name, optional, field) in fields(schema) {
        let lowered = lower(field, closed, named).map_err(|why| format!("{name}: {why}"))?;
        properties.push((name.to_owned(), lowered));
        if !optional {
            required.push(name);
        }
    }
    out.put("type", Node::text("object"));
    out.put("properties", Node::Map(properties));
    if !required.is_empty() {
        out.put("required", Node::texts(required));
    }
    if closed {
        out.put("additionalProperties", Node::Bool(false));
    }
    Ok(())
}

/// A value that fits the schema: what was given as `example`, or put together of its parts.
pub(crate) fn example(schema: &Node, named: &Named) -> Result<Node, String> {
    let given = schema.get("example").or_else(|| schema.get("const"));
    if let Some(given) = given {
        return Ok(given.clone());
    }
    if schema.get("fields").is_some() {
        let members = fields(schema).map(|(name, _, field)| {
            let value = example(field, named).map_err(|why| format!("{name}: {why}"))?;
            Ok((name.to_owned(), value))
        });
        return Ok(Node::Map(members.collect::<Result<_, String>>()?));
    }
    if let Some(item) = schema.get("list") {
        return Ok(Node::List(vec![example(item, named)?]));
    }
    if let Some(choices) = schema.get("oneOf") {
        let first = choices.items().first().ok_or("oneOf is empty")?;
        return example(first, named);
    }
    if let Some(first) = schema.get("enum").and_then(|all| all.items().first()) {
        return Ok(first.clone());
    }
    let kind = kind_of(schema).ok_or("needs an example")?;
    if kind.nullable {
        return Ok(Node::Null);
    }
    if let Some(name) = kind.reference() {
        let schema = named
            .get(name)
            .ok_or(format!("there is no schema `{name}`"))?;
        return example(schema, named).map_err(|why| format!("{name}: {why}"));
    }
    Ok(match kind.name {
        "time" => Node::text(MOMENT),
        "email" => Node::text("you@example.com"),
        "boolean" => Node::Bool(false),
        "key_" => Node::text("key_3req04v0wbqt2xm7"),
        id if kind.prefix().is_some() => Node::Text(format!("{id}01m7zfyahbc4t1t85eb8yw7rhg")),
        _ => return Err("needs an example".to_owned()),
    })
}

/// What may stand there, in words.
pub(crate) fn words(schema: &Node) -> String {
    let kind = kind_of(schema);
    let mut text = match &kind {
        Some(kind) => match kind.name {
            "string" => "text".to_owned(),
            "integer" => "number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "time" => "time, RFC 3339".to_owned(),
            "email" => "e-mail address".to_owned(),
            name if kind.prefix().is_some() => format!("id `{name}…`"),
            name => name.to_owned(),
        },
        None if schema.get("fields").is_some() => "object".to_owned(),
        None if schema.get("values").is_some() => "object".to_owned(),
        None => String::new(),
    };
    if let Some(item) = schema.get("list") {
        text = format!("list of {}", words(item));
    }
    if let Some(choices) = schema.get("oneOf") {
        let choices: Vec<_> = choices.items().iter().map(choice).collect();
        text = choices.join(" or ");
    }
    if let Some(choices) = schema.get("enum") {
        let choices = choices
            .items()
            .iter()
            .map(|one| format!("`{}`", plain(one)));
        text = choices.collect::<Vec<_>>().join(", ");
    }
    if let Some(one) = schema.get("const") {
        text = format!("`{}`", plain(one));
    }
    for (least, most, unit) in [
        ("minLength", "maxLength", " characters"),
        ("minimum", "maximum", ""),
        ("minItems", "maxItems", " items"),
    ] {
        let number = |name: &str| schema.get(name).map(Node::json);
        match (number(least), number(most)) {
            (Some(least), Some(most)) => text.push_str(&format!(", {least} to {most}{unit}")),
            (Some(least), None) => text.push_str(&format!(", {least}{unit} or more")),
            (None, Some(most)) => text.push_str(&format!(", at most {most}{unit}")),
            (None, None) => {}
        }
    }
    if kind.is_some_and(|kind| kind.nullable) {
        text.push_str(", or null");
    }
    text
}

/// One of several: objects by their fields, which tell them apart.
fn choice(schema: &Node) -> String {
    let names: Vec<_> = fields(schema)
        .map(|(name, ..)| format!("`{name}`"))
        .collect();
    if names.is_empty() {
        words(schema)
    } else {
        format!("object with {}", names.join(", "))
    }
}

fn plain(value: &Node) -> String {
    match value {
        Node::Text(text) => text.clone(),
        other => other.json(),
    }
}

/// One line of a table of fields.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) optional: bool,
    pub(crate) description: String,
    /// Schemas that the kind names.
    pub(crate) mentions: Vec<String>,
}

/// The fields of an object, those of objects inside it too.
pub(crate) fn rows(schema: &Node) -> Vec<Row> {
    let mut all = Vec::new();
    collect("", schema, &mut all);
    all
}

fn collect(prefix: &str, schema: &Node, all: &mut Vec<Row>) {
    for (name, optional, field) in fields(schema) {
        let name = format!("{prefix}{name}");
        all.push(Row {
            name: name.clone(),
            kind: words(field),
            optional,
            description: describe(field),
            mentions: mentions(field),
        });
        collect(&format!("{name}."), field, all);
        if let Some(item) = field.get("list") {
            collect(&format!("{name}[]."), item, all);
        }
    }
    if let Some(item) = schema.get("list").filter(|_| prefix.is_empty()) {
        collect("[].", item, all);
    }
    for choice in schema.get("oneOf").map_or(&[][..], Node::items) {
        collect(prefix, choice, all);
    }
}

fn describe(field: &Node) -> String {
    let mut text = field.text_of("description").unwrap_or_default().to_owned();
    if let Some(default) = field.get("default") {
        let default = format!("Without it `{}`.", plain(default));
        text = if text.is_empty() {
            default
        } else {
            format!("{text} {default}")
        };
    }
    text
}

/// The names of schemas that a schema mentions.
pub(crate) fn mentions(schema: &Node) -> Vec<String> {
    let mut all = Vec::new();
    mention(schema, &mut all);
    all
}

fn mention(schema: &Node, all: &mut Vec<String>) {
    let kind = kind_of(schema);
    let name = kind.and_then(|kind| kind.reference().map(str::to_owned));
    all.extend(name.filter(|name| !all.contains(name)));
    for (_, _, field) in fields(schema) {
        mention(field, all);
    }
    for part in ["list", "values"] {
        if let Some(part) = schema.get(part) {
            mention(part, all);
        }
    }
    for choice in schema.get("oneOf").map_or(&[][..], Node::items) {
        mention(choice, all);
    }
}

//! docs/openapi.json

use std::collections::BTreeMap;

use edgekeep_core::http::{Access, Code, Idempotency, Method};
use edgekeep_core::tenancy::{ApiScope, Permission};

use super::errors::{limits, response_name};
use super::node::Node;
use super::operation::{Answer, Content, Operation, Parameter};
use super::schema::{self, MOMENT, Named};
use super::shared;
use super::source::Source;

/// The document, with a line for each operation and schema so that changes can be read.
pub(crate) fn text(source: &Source, operations: &[Operation]) -> Result<String, String> {
    let mut lines = Vec::new();
    for (key, value) in document(source, operations)?.members() {
        let inside: Vec<_> = match (key.as_str(), value) {
            ("paths", paths) => entries(paths, |methods| block(&entries(methods, Node::json))),
            ("components", parts) => entries(parts, |part| block(&entries(part, Node::json))),
            (_, value) => {
                lines.push(entry(key, &value.json()));
                continue;
            }
        };
        lines.push(entry(key, &block(&inside)));
    }
    Ok(format!("{}\n", block(&lines)))
}

fn entries(map: &Node, show: impl Fn(&Node) -> String) -> Vec<String> {
    let members = map.members().iter();
    members
        .map(|(key, value)| entry(key, &show(value)))
        .collect()
}

fn entry(key: &str, value: &str) -> String {
    format!("{}:{value}", Node::text(key).json())
}

fn block(lines: &[String]) -> String {
    format!("{{\n{}\n}}", lines.join(",\n"))
}

fn document(source: &Source, operations: &[Operation]) -> Result<Node, String> {
    let mut paths: Vec<(String, Node)> = Vec::new();
    for operation in operations {
        let template = operation.template();
        let method = operation.route.method.name().to_lowercase();
        let shown = show(operation, &source.schemas);
        let shown = shown.map_err(|why| format!("{}: {why}", operation.route.name))?;
        match paths.iter_mut().find(|(path, _)| *path == template) {
            Some((_, methods)) => methods.put(&method, shown),
            None => paths.push((template, Node::map([(method.as_str(), shown)]))),
        }
    }
    let tags = source.domains.iter().map(|domain| {
        Node::map([
            ("name", Node::text(&domain.tag)),
            ("x-displayName", Node::text(&domain.title)),
            ("description", Node::text(&domain.description)),
        ])
    });
    let mut schemas = vec![
        ("Problem".to_owned(), shared::problem()),
        ("Metadata".to_owned(), shared::metadata(false)),
        ("PageMetadata".to_owned(), shared::metadata(true)),
    ];
    for name in &source.order {
        let written = source.schemas.get(name).ok_or("a schema got lost")?;
        let lowered = schema::lower(written, false, &source.schemas);
        let lowered = lowered.map_err(|why| format!("schema {name}: {why}"))?;
        schemas.push((name.clone(), lowered));
    }
    Ok(Node::map([
        ("openapi", Node::text("3.1.1")),
        ("info", shared::info()),
        (
            "servers",
            Node::List(vec![Node::map([("url", Node::text("/"))])]),
        ),
        ("tags", Node::List(tags.collect())),
        ("paths", Node::Map(paths)),
        (
            "components",
            Node::map([
                ("securitySchemes", shared::security_schemes()),
                ("headers", shared::headers()),
                ("responses", shared::responses()),
                ("schemas", Node::Map(schemas)),
            ]),
        ),
    ]))
}

fn show(operation: &Operation, named: &Named) -> Result<Node, String> {
    let route = operation.route;
    let mut out = Node::map([
        ("operationId", Node::text(route.name)),
        ("tags", Node::texts([&operation.tag])),
        ("summary", Node::text(&operation.summary)),
    ]);
    if !operation.description.is_empty() {
        out.put("description", Node::text(&operation.description));
    }
    out.put("security", security(route.access, route.method));
    access(route.access, &mut out);
    if let Some(feature) = route.feature {
        out.put("x-feature", Node::text(feature.name()));
    }
    if let Some(plan) = route.plan {
        out.put("x-plan-feature", Node::text(plan.name()));
    }
    let limits = limits(route.rate);
    if !limits.is_empty() {
        let shown = limits.into_iter().map(|(policy, most)| {
            Node::map([
                ("policy", Node::text(policy)),
                ("perMinute", Node::Int(most.into())),
            ])
        });
        out.put("x-rate-limit", Node::List(shown.collect()));
    }
    if route.idempotency != Idempotency::None {
        let required = route.idempotency == Idempotency::Required;
        out.put(
            "x-idempotency",
            Node::text(if required { "required" } else { "optional" }),
        );
    }
    if !operation.parameters.is_empty() {
        let shown = operation.parameters.iter().map(|one| parameter(one, named));
        out.put("parameters", Node::List(shown.collect::<Result<_, _>>()?));
    }
    if let Some(body) = &operation.body {
        let lowered = schema::lower(&body.schema, true, named)?;
        let media = Node::map([("schema", lowered), ("example", body.example.clone())]);
        let mut content = Node::Map(Vec::new());
        let types = ["application/json"];
        for kind in types.iter().chain(route.media_types) {
            content.put(kind, media.clone());
        }
        let required = Node::Bool(!body.optional);
        out.put(
            "requestBody",
            Node::map([("required", required), ("content", content)]),
        );
    }
    out.put("responses", responses(operation, named)?);
    let names = operation.codes.iter().map(|code| code.name());
    out.put("x-error-codes", Node::texts(names));
    let sample = Node::map([
        ("lang", Node::text("Shell")),
        ("source", Node::text(super::sample::curl(operation))),
    ]);
    out.put("x-codeSamples", Node::List(vec![sample]));
    Ok(out)
}

fn access(access: Access, out: &mut Node) {
    let mut permission = |permission: Permission| {
        out.put("x-permission", Node::text(permission.name()));
    };
    match access {
        Access::Member(held) => permission(held),
        Access::Key(held, scope) | Access::MemberOrKey(held, scope) => {
            permission(held);
            out.put("x-scope", Node::text(ApiScope::name(scope)));
        }
        Access::Public | Access::Service | Access::Scraper | Access::Signed => {}
        Access::Development => out.put("x-only", Node::text("development")),
    }
}

/// Each item of the list is enough; within one, all are needed.
fn security(access: Access, method: Method) -> Node {
    let all = |names: &[&str]| {
        let names = names
            .iter()
            .map(|name| ((*name).to_owned(), Node::List(Vec::new())));
        Node::Map(names.collect())
    };
    // A browser's cookies change nothing without the page's own word.
    let cookie = match method {
        Method::Get => all(&["sessionCookie"]),
        _ => all(&["sessionCookie", "csrfToken"]),
    };
    Node::List(match access {
        Access::Public | Access::Development => Vec::new(),
        Access::Member(_) => vec![all(&["accessToken"]), cookie],
        Access::Key(..) => vec![all(&["apiKey"])],
        Access::MemberOrKey(..) => vec![all(&["accessToken"]), cookie, all(&["apiKey"])],
        Access::Service => vec![all(&["serviceToken"])],
        Access::Scraper => vec![all(&["serviceToken"]), all(&["metricsToken"])],
        Access::Signed => vec![all(&["signature"])],
    })
}

fn parameter(one: &Parameter, named: &Named) -> Result<Node, String> {
    let mut written = one.schema.clone();
    let description = written
        .text_of("description")
        .unwrap_or_default()
        .to_owned();
    if let Node::Map(members) = &mut written {
        members.retain(|(key, _)| key != "description");
    }
    let lowered = schema::lower(&written, true, named)?;
    let example = schema::example(&one.schema, named);
    let example = example.map_err(|why| format!("{}: {why}", one.name))?;
    Ok(Node::map([
        ("name", Node::text(&one.name)),
        ("in", Node::text(one.place)),
        ("required", Node::Bool(one.required)),
        ("description", Node::text(description)),
        ("schema", lowered),
        ("example", example),
    ]))
}

fn responses(operation: &Operation, named: &Named) -> Result<Node, String> {
    let mut out = Node::Map(Vec::new());
    for answer in &operation.answers {
        let shown = response(operation, answer, named);
        let shown = shown.map_err(|why| format!("answer {}: {why}", answer.status))?;
        out.put(&answer.status, shown);
    }
    // A client may be refused by whatever stands before the API, too, so every operation has these.
    let always = [401, 429].into_iter();
    let statuses = operation.codes.iter().map(|code| code.status());
    let statuses: std::collections::BTreeSet<u16> = statuses.chain(always).collect();
    for status in statuses {
        let name = status.to_string();
        if out.get(&name).is_none() {
            out.put(&name, Node::reference("responses", response_name(status)));
        }
    }
    Ok(out)
}

fn response(operation: &Operation, answer: &Answer, named: &Named) -> Result<Node, String> {
    let mut headers = Node::Map(Vec::new());
    for (name, text) in &answer.headers {
        headers.put(
            name,
            Node::map([
                ("description", Node::text(text.trim())),
                ("schema", Node::map([("type", Node::text("string"))])),
            ]),
        );
    }
    if !limits(operation.route.rate).is_empty() {
        for name in shared::RATE_HEADERS {
            headers.put(name, Node::reference("headers", name));
        }
    }
    let mut out = Node::map([("description", Node::text(&answer.description))]);
    if !headers.members().is_empty() {
        out.put("headers", headers);
    }
    let (kind, schema, example) = match &answer.content {
        Content::Nothing => return Ok(out),
        Content::Data(data, page) => (
            "application/json",
            envelope(schema::lower(data, false, named)?, *page),
            enveloped(&answer.example, *page),
        ),
        Content::Raw(kind, Some(schema)) => (
            kind.as_str(),
            schema::lower(schema, false, named)?,
            answer.example.clone(),
        ),
        Content::Raw(kind, None) => (
            kind.as_str(),
            Node::map([("type", Node::text("string"))]),
            answer.example.clone(),
        ),
    };
    let media = Node::map([("schema", schema), ("example", example)]);
    out.put("content", Node::map([(kind, media)]));
    Ok(out)
}

fn envelope(data: Node, page: bool) -> Node {
    let metadata = if page { "PageMetadata" } else { "Metadata" };
    Node::map([
        ("type", Node::text("object")),
        ("required", Node::texts(["success", "data", "metadata"])),
        (
            "properties",
            Node::map([
                ("success", Node::map([("const", Node::Bool(true))])),
                ("data", data),
                ("metadata", Node::reference("schemas", metadata)),
            ]),
        ),
    ])
}

/// An example as it comes over the wire.
pub(crate) fn enveloped(data: &Node, page: bool) -> Node {
    let mut metadata = Node::map([
        ("requestId", Node::text("req_0f3c5a7b9d1e2f40")),
        ("timestamp", Node::text(MOMENT)),
    ]);
    if page {
        metadata.put("nextCursor", Node::text("MTc2MDAwMDAwMDAwMDpqb2JfMQ"));
    }
    Node::map([
        ("success", Node::Bool(true)),
        ("data", data.clone()),
        ("metadata", metadata),
    ])
}

/// All codes by their status.
pub(crate) fn codes_by_status() -> BTreeMap<u16, Vec<Code>> {
    let mut all = BTreeMap::<u16, Vec<Code>>::new();
    for code in Code::ALL {
        all.entry(code.status()).or_default().push(*code);
    }
    all
}

//! The reference for people, as blocks: docs/api.md and the page at `/docs` show the same.

use edgekeep_core::config::Feature;
use edgekeep_core::http::{Code, Idempotency};
use edgekeep_core::tenancy::PlanFeature;

use super::errors;
use super::node::Node;
use super::operation::{Answer, Content, Operation};
use super::schema::{self, Row};
use super::source::Source;

/// A piece of the reference. Texts may hold `code` and [links](#to).
#[derive(Debug)]
pub(crate) enum Block {
    /// A domain: anchor and title.
    Domain(String, String),
    /// An operation or a schema: anchor and title.
    Part(String, String),
    /// Method and path.
    Call(String, String),
    Text(String),
    Table(Vec<&'static str>, Vec<Vec<String>>),
    Sample(String),
}

/// All of it, after the page's own title.
pub(crate) fn blocks(source: &Source, operations: &[Operation]) -> Vec<Block> {
    let mut all = introduction();
    for domain in &source.domains {
        all.push(Block::Domain(domain.tag.clone(), domain.title.clone()));
        all.push(Block::Text(domain.description.clone()));
        for (name, _) in &domain.operations {
            let found = operations.iter().find(|one| one.route.name == name);
            if let Some(operation) = found {
                describe(operation, &mut all);
            }
        }
    }
    all.push(Block::Domain("schemas".into(), "Schemas".into()));
    for name in &source.order {
        if let Some(schema) = source.schemas.get(name) {
            named(name, schema, source, &mut all);
        }
    }
    all
}

fn introduction() -> Vec<Block> {
    let codes = |codes: &[Code]| {
        let codes = codes.iter().map(|code| format!("`{}`", code.name()));
        codes.collect::<Vec<_>>().join(" ")
    };
    let row = |when: &str, all: &[Code]| vec![when.to_owned(), codes(all)];
    let rows = vec![
        row("always", &errors::ANY),
        row(
            "it belongs to a feature that may be off",
            &[Code::FeatureDisabled],
        ),
        row("there is a rate limit", &[Code::RateLimited]),
        row("it is no `GET`", &errors::WRITING),
        row("it takes a body", &[Code::InvalidJson]),
        row("it is for members", &errors::MEMBER),
        row("it is for API keys", &errors::KEY),
        row("it is for services", &errors::SERVICE),
        row(
            "it is for members, with a cookie, and no `GET`",
            &[Code::CsrfFailed],
        ),
        row("it takes an `Idempotency-Key`", &errors::IDEMPOTENT),
    ];
    vec![
        Block::Text(
            "Answers are `{\"success\":true,\"data\":…,\"metadata\":…}`; what is shown here is `data`. \
             Lists have `metadata.nextCursor` while there is another page: send it as `?cursor=`. \
             Errors are `application/problem+json`; programs decide by `error.code`. Fields of \
             requests that are not told here are refused; answers may gain fields, so ignore those \
             you do not know. Members send `Authorization: Bearer <access_token>` or the cookies of \
             their session, machines `X-Api-Key: ek_…`."
                .into(),
        ),
        Block::Text("An operation tells its own errors. These go without saying:".into()),
        Block::Table(vec!["if", "errors"], rows),
    ]
}

fn describe(operation: &Operation, all: &mut Vec<Block>) {
    let route = operation.route;
    all.push(Block::Part(
        route.name.to_owned(),
        operation.summary.clone(),
    ));
    all.push(Block::Call(
        route.method.name().to_owned(),
        operation.template(),
    ));
    if !operation.description.is_empty() {
        all.push(Block::Text(operation.description.clone()));
    }
    all.push(Block::Text(rules(operation)));
    if !operation.parameters.is_empty() {
        let rows = operation.parameters.iter().map(|one| {
            let required = if one.required { "yes" } else { "" };
            let description = one.schema.text_of("description").unwrap_or_default();
            vec![
                format!("`{}`", one.name),
                one.place.to_owned(),
                kind(&one.schema),
                required.to_owned(),
                description.to_owned(),
            ]
        });
        let head = vec!["parameter", "in", "kind", "required", "meaning"];
        all.push(Block::Table(head, rows.collect()));
    }
    if let Some(body) = &operation.body {
        if body.optional {
            all.push(Block::Text("The body may be absent.".into()));
        }
        let rows = schema::rows(&body.schema);
        if rows.is_empty() || body.schema.get("oneOf").is_some() {
            all.push(Block::Text(format!("Body: {}.", kind(&body.schema))));
        }
        if !rows.is_empty() {
            all.push(fields("field of the body", "required", &rows));
        }
    }
    for answer in &operation.answers {
        answered(answer, all);
    }
    all.push(Block::Sample(sample(operation)));
    if !operation.own.is_empty() {
        let own = operation.own.iter();
        let own = own.map(|code| format!("`{}` ({})", code.name(), code.status()));
        let own = own.collect::<Vec<_>>().join(", ");
        all.push(Block::Text(format!("Errors of its own: {own}.")));
    }
}

/// Who may call it, how often and with which key.
fn rules(operation: &Operation) -> String {
    let route = operation.route;
    let limits: Vec<_> = errors::limits(route.rate)
        .into_iter()
        .map(|(policy, most)| format!("{most} (`{policy}`)"))
        .collect();
    let limit = if limits.is_empty() {
        "Not limited.".to_owned()
    } else {
        let most = limits.join(" and ");
        format!(
            "At most {most} a minute and caller, unless the plan or the operator says otherwise."
        )
    };
    let key = match route.idempotency {
        Idempotency::None => "",
        Idempotency::Optional => " Takes an `Idempotency-Key`.",
        Idempotency::Required => " Needs an `Idempotency-Key`.",
    };
    let feature = route.feature.map(Feature::name);
    let feature = feature.map(|name| format!(" Feature: `{name}`."));
    let plan = route.plan.map(PlanFeature::name);
    let plan = plan.map(|name| format!(" On plans with `{name}`."));
    format!(
        "Called by: {} {limit}{key}{}{} Name: `{}`.",
        operation.who(),
        plan.unwrap_or_default(),
        feature.unwrap_or_default(),
        route.name
    )
}

/// What may stand there, with a link where it has a name.
fn kind(written: &Node) -> String {
    linked(&schema::words(written), &schema::mentions(written))
}

fn linked(words: &str, names: &[String]) -> String {
    let words = words.split(' ').map(|word| {
        let bare = word.trim_end_matches(',');
        if names.iter().any(|name| name == bare) {
            word.replacen(bare, &format!("[{bare}](#{bare})"), 1)
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn fields(first: &'static str, third: &'static str, rows: &[Row]) -> Block {
    let marked = third != "required";
    let rows = rows.iter().map(|row| {
        let mark = if row.optional == marked { "yes" } else { "" };
        vec![
            format!("`{}`", row.name),
            linked(&row.kind, &row.mentions),
            mark.to_owned(),
            row.description.clone(),
        ]
    });
    Block::Table(vec![first, "kind", third, "meaning"], rows.collect())
}

fn answered(answer: &Answer, all: &mut Vec<Block>) {
    let mut text = format!("Answers {}: {}", answer.status, answer.description);
    let written = match &answer.content {
        Content::Nothing => None,
        Content::Data(data, _) => Some(data),
        Content::Raw(kind, schema) => {
            text.push_str(&format!(" As `{kind}`, without an envelope."));
            schema.as_ref()
        }
    };
    for (name, meaning) in &answer.headers {
        text.push_str(&format!(" Header `{name}`: {}", meaning.trim()));
    }
    let Some(written) = written else {
        all.push(Block::Text(text));
        return;
    };
    let rows = schema::rows(written);
    if rows.is_empty() || written.get("oneOf").is_some() {
        text.push_str(&format!(" It holds: {}.", kind(written)));
    }
    all.push(Block::Text(text));
    if !rows.is_empty() {
        all.push(fields("field", "may be absent", &rows));
    }
}

/// A request and what comes back, as they go over the wire but for the envelope.
fn sample(operation: &Operation) -> String {
    let mut text = super::sample::request(operation);
    for answer in &operation.answers {
        text.push_str(&format!("\n\n{}", answer.status));
        match (&answer.content, &answer.example) {
            (Content::Nothing, _) => {}
            (Content::Raw(_, None), Node::Text(example)) => {
                text.push_str(&format!("\n{}", example.trim_end()));
            }
            (_, example) => text.push_str(&format!("\n{}", example.pretty())),
        }
    }
    text
}

fn named(name: &str, schema: &Node, source: &Source, all: &mut Vec<Block>) {
    all.push(Block::Part(name.to_owned(), name.to_owned()));
    if let Some(description) = schema.text_of("description") {
        all.push(Block::Text(description.to_owned()));
    }
    let rows = schema::rows(schema);
    if rows.is_empty() {
        all.push(Block::Text(format!("{}.", kind(schema))));
    } else {
        all.push(fields("field", "may be absent", &rows));
    }
    if let Ok(example) = schema::example(schema, &source.schemas) {
        all.push(Block::Sample(example.pretty()));
    }
}

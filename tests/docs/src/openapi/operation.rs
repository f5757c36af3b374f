//! One operation: its row of the route table and what was written about it, merged.

use edgekeep_core::functions;
use edgekeep_core::http::{Access, Code, Idempotency, RouteInfo};

use super::errors;
use super::node::Node;
use super::schema::{self, Named};
use super::source::Source;

/// What an entry may say.
const WORDS: [&str; 8] = [
    "summary",
    "description",
    "path",
    "query",
    "headers",
    "body",
    "answers",
    "errors",
];

/// A parameter of the path, the query or a header.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) place: &'static str,
    pub(crate) required: bool,
    pub(crate) schema: Node,
}

/// The body of a request.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) optional: bool,
    pub(crate) schema: Node,
    pub(crate) example: Node,
}

/// What an answer holds.
#[derive(Debug)]
pub(crate) enum Content {
    Nothing,
    /// In the envelope; `true` for pages of a list.
    Data(Node, bool),
    /// By itself, of this type; a text when there is no schema.
    Raw(String, Option<Node>),
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) description: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Content,
    /// Of `data` or of the whole body.
    pub(crate) example: Node,
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) route: &'static RouteInfo,
    pub(crate) function: &'static str,
    pub(crate) tag: String,
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) answers: Vec<Answer>,
    /// Errors of its own, which its route's table does not imply.
    pub(crate) own: Vec<Code>,
    /// Every error.
    pub(crate) codes: Vec<Code>,
}

impl Operation {
    /// The path with `{name}` for what may be any text.
    pub(crate) fn template(&self) -> String {
        let segments = self.route.path.split('/');
        let segments = segments.map(|segment| match segment.strip_prefix(':') {
            Some(name) => format!("{{{name}}}"),
            None => segment.to_owned(),
        });
        segments.collect::<Vec<_>>().join("/")
    }

    /// Who may call it, in a sentence.
    pub(crate) fn who(&self) -> String {
        match self.route.access {
            Access::Public => "Anyone.".to_owned(),
            Access::Member(permission) => {
                format!("Members with the permission `{}`.", permission.name())
            }
            Access::Key(permission, scope) => format!(
                "API keys with the scope `{}`, whose owner has the permission `{}`.",
                scope.name(),
                permission.name()
            ),
            Access::MemberOrKey(permission, scope) => format!(
                "Members with the permission `{0}`, and API keys with the scope `{1}`, whose owner \
                 has the permission `{0}`.",
                permission.name(),
                scope.name()
            ),
            Access::Service => format!(
                "Services, by a service token for the function `{}`.",
                self.function
            ),
            Access::Scraper => format!(
                "Services, by a service token for the function `{}`, and whoever holds `METRICS_TOKEN`.",
                self.function
            ),
            Access::Signed => "Whoever can sign the body.".to_owned(),
            Access::Development => {
                "Anyone, where `ENVIRONMENT` is development or test; elsewhere it does not exist."
                    .to_owned()
            }
        }
    }
}

/// Every operation, by domain in the order of its file, or all that is missing, too much or wrong.
pub(crate) fn all(source: &Source) -> Result<Vec<Operation>, Vec<String>> {
    let routes = functions::routes();
    let mut problems = Vec::new();
    let mut operations: Vec<Operation> = Vec::new();
    for domain in &source.domains {
        for (name, entry) in &domain.operations {
            let place = format!("docs/openapi/{}.yaml: {name}", domain.tag);
            let Some((function, route)) = routes.iter().find(|(_, route)| route.name == name)
            else {
                problems.push(format!("{place}: there is no route of that name"));
                continue;
            };
            if operations.iter().any(|known| known.route.name == name) {
                problems.push(format!("{place}: is described twice"));
            }
            match operation(function, route, &domain.tag, entry, &source.schemas) {
                Ok(operation) => operations.push(operation),
                Err(why) => problems.push(format!("{place}: {why}")),
            }
        }
    }
    for (_, route) in &routes {
        let written = |name: &&str| {
            let mut domains = source.domains.iter();
            domains.any(|domain| domain.operations.iter().any(|(known, _)| known == name))
        };
        if !written(&route.name) {
            problems.push(format!(
                "{} ({} {}) is not described: add it to a file in docs/openapi/ (README.md there)",
                route.name,
                route.method.name(),
                route.path
            ));
        }
    }
    if problems.is_empty() {
        Ok(operations)
    } else {
        Err(problems)
    }
}

fn operation(
    function: &'static str,
    route: &'static RouteInfo,
    tag: &str,
    entry: &Node,
    named: &Named,
) -> Result<Operation, String> {
    for (key, _) in entry.members() {
        if !WORDS.contains(&key.as_str()) {
            return Err(format!("`{key}` is no word of an operation"));
        }
    }
    let body = entry.get("body").map(|body| read_body(body, named));
    let body = body.transpose().map_err(|why| format!("body: {why}"))?;
    let answers = entry.get("answers").map_or(&[][..], Node::members);
    let answers = answers.iter().map(|(status, answer)| {
        read_answer(status, answer, named).map_err(|why| format!("answer {status}: {why}"))
    });
    let answers = answers.collect::<Result<Vec<_>, _>>()?;
    if answers.is_empty() {
        return Err("has no answers".to_owned());
    }
    let mut codes = errors::implied(route, body.is_some());
    let mut own = Vec::new();
    for name in entry.get("errors").map_or(&[][..], Node::items) {
        let name = name.as_text().unwrap_or_default();
        let code = errors::by_name(name).ok_or(format!("there is no error code {name}"))?;
        if codes.contains(&code) {
            return Err(format!("{name} goes without saying for this route"));
        }
        codes.push(code);
        own.push(code);
    }
    Ok(Operation {
        route,
        function,
        tag: tag.to_owned(),
        summary: entry.text_of("summary").ok_or("has no summary")?.to_owned(),
        description: entry.text_of("description").unwrap_or_default().to_owned(),
        parameters: parameters(route, entry)?,
        body,
        answers,
        own: errors::sorted(&own),
        codes: errors::sorted(&codes),
    })
}

fn parameters(route: &RouteInfo, entry: &Node) -> Result<Vec<Parameter>, String> {
    let mut all = Vec::new();
    let told = entry.get("path").map_or(&[][..], Node::members);
    let named: Vec<_> = route
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix(':'))
        .collect();
    if let Some((name, _)) = told
        .iter()
        .find(|(name, _)| !named.contains(&name.as_str()))
    {
        return Err(format!("the path has no `{name}`"));
    }
    for name in named {
        let told = told.iter().find(|(known, _)| known == name);
        let (_, schema) = told.ok_or(format!("path: `{name}` is not described"))?;
        all.push(parameter(name, "path", schema));
    }
    for (place, key) in [("query", "query"), ("header", "headers")] {
        let told = entry.get(key).map_or(&[][..], Node::members);
        all.extend(
            told.iter()
                .map(|(name, schema)| parameter(name, place, schema)),
        );
    }
    if route.idempotency != Idempotency::None {
        all.push(Parameter {
            name: "Idempotency-Key".to_owned(),
            place: "header",
            required: route.idempotency == Idempotency::Required,
            schema: idempotency_key(),
        });
    }
    Ok(all)
}

fn parameter(name: &str, place: &'static str, schema: &Node) -> Parameter {
    let plain = name.strip_suffix('?');
    Parameter {
        name: plain.unwrap_or(name).to_owned(),
        place,
        required: plain.is_none(),
        schema: schema.clone(),
    }
}

fn idempotency_key() -> Node {
    Node::map([
        ("is", Node::text("string")),
        ("minLength", Node::Int(1)),
        ("maxLength", Node::Int(255)),
        ("pattern", Node::text("^[!-~]+$")),
        ("example", Node::text("5f0c9a52-order-1")),
        (
            "description",
            Node::text(
                "A text of your own, drawn once for one intention. A repetition with the same key \
                 within a day does nothing and gives the first answer again.",
            ),
        ),
    ])
}

fn read_body(body: &Node, named: &Named) -> Result<Body, String> {
    let mut schema = body.clone();
    let optional = body.get("optional") == Some(&Node::Bool(true));
    if let Node::Map(members) = &mut schema {
        members.retain(|(key, _)| key != "optional");
    }
    if schema::fields(&schema).all(|(_, optional, _)| optional)
        && schema.get("fields").is_some()
        && !optional
        && body.get("optional").is_none()
    {
        return Err("may it be absent? say `optional: true` or `false`".to_owned());
    }
    let example = schema::example(&schema, named)?;
    Ok(Body {
        optional,
        schema,
        example,
    })
}

fn read_answer(status: &str, answer: &Node, named: &Named) -> Result<Answer, String> {
    for (key, _) in answer.members() {
        if ![
            "description",
            "data",
            "page",
            "type",
            "schema",
            "example",
            "headers",
        ]
        .contains(&key.as_str())
        {
            return Err(format!("`{key}` is no word of an answer"));
        }
    }
    let content = match (answer.get("data"), answer.text_of("type")) {
        (Some(data), None) => {
            let page = answer.get("page") == Some(&Node::Bool(true));
            Content::Data(data.clone(), page)
        }
        (None, Some(kind)) => Content::Raw(kind.to_owned(), answer.get("schema").cloned()),
        (None, None) => Content::Nothing,
        (Some(_), Some(_)) => return Err("has data or a type of its own, not both".to_owned()),
    };
    let example = match (&content, answer.get("example")) {
        (_, Some(example)) => example.clone(),
        (Content::Data(schema, _) | Content::Raw(_, Some(schema)), None) => {
            schema::example(schema, named)?
        }
        (Content::Raw(_, None), None) => return Err("needs an example".to_owned()),
        (Content::Nothing, None) => Node::Null,
    };
    let headers = answer.get("headers").map_or(&[][..], Node::members);
    let headers = headers
        .iter()
        .map(|(name, text)| (name.clone(), text.as_text().unwrap_or_default().to_owned()));
    Ok(Answer {
        status: status.to_owned(),
        description: answer
            .text_of("description")
            .ok_or("has no description")?
            .to_owned(),
        headers: headers.collect(),
        content,
        example,
    })
}

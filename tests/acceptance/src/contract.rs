//! Holds every answer of the suite to docs/openapi.json, and every request that was let in.
//!
//! The document is more generous than this: there, answers may gain members. Here a member that
//! is not told fails, so that none is forgotten.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::answer::Answer;

static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);

struct Contract {
    document: Value,
    components: Value,
    /// By the pointer of their schema.
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// The document.
pub fn document() -> &'static Value {
    &CONTRACT.document
}

/// A request and its answer.
pub struct Exchange<'a> {
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    pub body: &'a [u8],
    pub answer: &'a Answer,
}

/// Panics where the exchange is not as the document says.
#[track_caller]
pub fn check(exchange: &Exchange<'_>) {
    if let Err(why) = CONTRACT.judge(exchange) {
        let Exchange { method, target, .. } = exchange;
        let answer: String = exchange.answer.text().chars().take(2_000).collect();
        panic!("docs/openapi.json: {method} {target}: {why}\n{answer}");
    }
}

impl Contract {
    fn read() -> Self {
        let text = include_str!("../../../docs/openapi.json");
        let document: Value = serde_json::from_str(text).expect("docs/openapi.json is JSON");
        let mut components = document["components"].clone();
        close(&mut components);
        Self {
            document,
            components,
            validators: Mutex::default(),
        }
    }

    fn judge(&self, exchange: &Exchange<'_>) -> Result<(), String> {
        let status = exchange.answer.status;
        let (path, query) = exchange
            .target
            .split_once('?')
            .unwrap_or((exchange.target, ""));
        let Some((template, item)) = self.path(path) else {
            // Versions that do not exist are refused before the path is looked at.
            return [400, 404]
                .contains(&status)
                .then_some(())
                .ok_or_else(|| format!("the path is not documented, and answered {status}"));
        };
        let method = match exchange.method {
            "HEAD" => "get".to_owned(),
            other => other.to_lowercase(),
        };
        let Some(operation) = item.get(&method) else {
            return [204, 405]
                .contains(&status)
                .then_some(())
                .ok_or_else(|| format!("the method is not documented, and answered {status}"));
        };
        let place = format!("/paths/{}/{method}", escape(template));
        if exchange.method == "HEAD" && status == 405 {
            return Ok(());
        }
        self.judge_answer(exchange, operation, &place)?;
        if (200..300).contains(&status) {
            self.judge_query(query, operation, &place)?;
            self.judge_request(exchange, operation, &place)?;
        }
        Ok(())
    }

    /// The template that fits, fixed segments first, as the router does.
    fn path(&self, path: &str) -> Option<(&str, &Map<String, Value>)> {
        let fits = |template: &str| {
            let (wanted, given) = (template.split('/'), path.split('/'));
            wanted.clone().count() == given.clone().count()
                && wanted
                    .zip(given)
                    .all(|(w, g)| w == g || (w.starts_with('{') && !g.is_empty()))
        };
        let paths = self.document["paths"].as_object().unwrap();
        paths
            .iter()
            .filter(|(template, _)| fits(template))
            .min_by_key(|(template, _)| template.matches('{').count())
            .map(|(template, item)| (template.as_str(), item.as_object().unwrap()))
    }

    fn judge_answer(
        &self,
        exchange: &Exchange<'_>,
        operation: &Value,
        place: &str,
    ) -> Result<(), String> {
        let answer = exchange.answer;
        let status = answer.status.to_string();
        let mut place = format!("{place}/responses/{status}");
        let mut response = operation["responses"]
            .get(&status)
            .ok_or_else(|| format!("status {status} is not documented"))?;
        if let Some(target) = response["$ref"].as_str() {
            target.trim_start_matches('#').clone_into(&mut place);
            response = self.document.pointer(&place).unwrap();
        }
        let kind = answer.header("content-type").unwrap_or_default();
        if answer.body.is_empty() {
            let told = response.get("content").is_none() || exchange.method == "HEAD";
            // A result without a line is a result.
            return (told || kind == "application/x-ndjson")
                .then_some(())
                .ok_or_else(|| "the documented body is missing".to_owned());
        }
        let media = response["content"]
            .get(kind)
            .ok_or_else(|| format!("an answer {status} of type {kind} is not documented"))?;
        if !kind.ends_with("json") || kind == "application/x-ndjson" {
            return Ok(());
        }
        let body: Value = serde_json::from_slice(&answer.body).map_err(|e| e.to_string())?;
        let place = format!("{place}/content/{}/schema", escape(kind));
        let validator = self.validator(&place, &media["schema"], true);
        valid(&validator, &body).map_err(|why| format!("the answer {status}: {why}"))?;
        let code = &body["error"]["code"];
        let codes = operation["x-error-codes"].as_array().unwrap();
        if kind == "application/problem+json" && !codes.contains(code) {
            return Err(format!("the code {code} is not documented here"));
        }
        Ok(())
    }

    fn judge_query(&self, query: &str, operation: &Value, place: &str) -> Result<(), String> {
        let none = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&none);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let found = parameters
                .iter()
                .enumerate()
                .find(|(_, one)| one["in"] == "query" && one["name"] == name);
            let (index, one) = found.ok_or_else(|| format!("`{name}` is not documented"))?;
            let value = match one["schema"]["type"].as_str() {
                Some("integer") => json!(value.parse::<i64>().ok()),
                Some("boolean") => json!(value.parse::<bool>().ok()),
                _ => json!(value.replace("%40", "@").replace("%2B", "+")),
            };
            let place = format!("{place}/parameters/{index}/schema");
            let validator = self.validator(&place, &one["schema"], false);
            valid(&validator, &value).map_err(|why| format!("`{name}` was taken: {why}"))?;
        }
        Ok(())
    }

    fn judge_request(
        &self,
        exchange: &Exchange<'_>,
        operation: &Value,
        place: &str,
    ) -> Result<(), String> {
        let Some(body) = operation.get("requestBody") else {
            let nothing = [&b""[..], b"{}"].contains(&exchange.body);
            return nothing
                .then_some(())
                .ok_or_else(|| "a body was taken that is not documented".to_owned());
        };
        if exchange.body.is_empty() {
            return (body["required"] == false)
                .then_some(())
                .ok_or_else(|| "the body is documented as required, and was not".to_owned());
        }
        // Events that break a rule do not fail their request.
        if operation["operationId"] == "usage.ingest"
            && exchange.answer.json()["data"]["invalid"] != 0
        {
            return Ok(());
        }
        let sent: Value = serde_json::from_slice(exchange.body).map_err(|e| e.to_string())?;
        let kind = "application/json";
        let schema = &body["content"][kind]["schema"];
        let place = format!("{place}/requestBody/content/{}/schema", escape(kind));
        let validator = self.validator(&place, schema, false);
        valid(&validator, &sent).map_err(|why| format!("the request was taken, but: {why}"))
    }

    fn validator(&self, place: &str, schema: &Value, closed: bool) -> Arc<Validator> {
        let mut known = self.validators.lock().unwrap();
        let made = known.entry(place.to_owned()).or_insert_with(|| {
            let mut schema = schema.clone();
            if closed {
                close(&mut schema);
            }
            let components = if closed {
                &self.components
            } else {
                &self.document["components"]
            };
            Arc::new(compile(
                json!({"allOf": [schema], "components": components}),
            ))
        });
        Arc::clone(made)
    }
}

/// A validator that takes formats seriously.
fn compile(schema: Value) -> Validator {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap_or_else(|error| panic!("docs/openapi.json holds no schema: {error}"))
}

fn valid(validator: &Validator, value: &Value) -> Result<(), String> {
    let mismatches: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("at `{}`: {error}", error.instance_path()))
        .collect();
    if mismatches.is_empty() {
        Ok(())
    } else {
        Err(mismatches.join("; "))
    }
}

/// Takes no member that is not told, in all objects whose members are told.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            for (key, value) in object {
                if !["example", "default", "const", "enum"].contains(&key.as_str()) {
                    close(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// A segment of a JSON pointer (RFC 6901).
fn escape(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}

//! The API's own description, made by `cargo run -p edgekeep-docs` from the route tables and
//! docs/openapi/*.yaml.

use std::borrow::Cow;

use serde_json::Value;

use crate::config::{Feature, Features};
use crate::crypto::fingerprint;
use crate::http::{Code, Context, Error, Reply, Response};
use crate::port::Platform;

static DOCUMENT: &str = include_str!("../../../../docs/openapi.json");
static PAGE: &str = include_str!("../../../../docs/api.html");

/// `GET /openapi.json`: what this deployment offers.
///
/// # Errors
/// `NOT_CONFIGURED` where the configuration is refused.
pub(super) fn openapi<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Error> {
    let text = offered(cx.config()?.features)
        .map_err(|error| Error::new(Code::Internal).with_cause(error))?;
    Ok(cached(cx, "application/json", &text))
}

/// The document without the operations of features that are off. Without API keys their security
/// scheme goes too, and with it what only keys may call.
fn offered(features: Features) -> Result<Cow<'static, str>, serde_json::Error> {
    if Feature::ALL.iter().all(|feature| features.on(*feature)) {
        return Ok(DOCUMENT.into());
    }
    let off: Vec<&str> = Feature::ALL
        .iter()
        .filter(|feature| !features.on(**feature))
        .map(|feature| feature.name())
        .collect();
    let keys = features.on(Feature::ApiKeys);
    let mut document: Value = serde_json::from_str(DOCUMENT)?;
    let part = |document: &mut Value, pointer| {
        let found = document.pointer_mut(pointer).and_then(Value::as_object_mut);
        found.map(core::mem::take).unwrap_or_default()
    };
    let mut paths = part(&mut document, "/paths");
    for operations in paths.values_mut().filter_map(Value::as_object_mut) {
        operations.retain(|_, operation| {
            let feature = operation.get("x-feature").and_then(Value::as_str);
            let known = feature.is_none_or(|name| !off.contains(&name));
            known && (keys || without_key(operation))
        });
    }
    paths.retain(|_, operations| operations.as_object().is_some_and(|all| !all.is_empty()));
    let mut schemes = part(&mut document, "/components/securitySchemes");
    if !keys {
        schemes.remove("apiKey");
    }
    for (pointer, members) in [("/paths", paths), ("/components/securitySchemes", schemes)] {
        if let Some(place) = document.pointer_mut(pointer) {
            *place = Value::Object(members);
        }
    }
    serde_json::to_string(&document).map(Cow::Owned)
}

/// Takes API keys off the ways to call an operation; false when no other is left.
fn without_key(operation: &mut Value) -> bool {
    let Some(ways) = operation.get_mut("security").and_then(Value::as_array_mut) else {
        return true;
    };
    let public = ways.is_empty();
    ways.retain(|way| way.get("apiKey").is_none());
    public || !ways.is_empty()
}

/// `GET /docs`: one page without a script. `?theme=light` or `?theme=dark` decides what else the
/// browser would.
///
/// # Errors
/// `VALIDATION` naming `theme`.
pub(super) fn page<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Error> {
    let html = match cx.request.query_value("theme")?.as_deref() {
        None => PAGE.to_owned(),
        Some(theme @ ("light" | "dark")) => {
            let root = format!("<html lang=\"en\" data-theme=\"{theme}\">");
            PAGE.replacen("<html lang=\"en\">", &root, 1)
        }
        Some(_) => return Err(Error::invalid("theme", "Must be light or dark.")),
    };
    let reply = cached(cx, "text/html; charset=utf-8", &html);
    Ok(reply.with_header("content-security-policy", policy(PAGE)))
}

/// What the page may load: nothing but the style that is written in it.
fn policy(page: &str) -> String {
    let style = page
        .split_once("<style>")
        .and_then(|(_, rest)| rest.split_once("</style>"));
    let hash = fingerprint(style.map_or("", |(style, _)| style));
    let hash = hash.replace('-', "+").replace('_', "/");
    format!(
        "default-src 'none'; style-src 'sha256-{hash}='; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'none'"
    )
}

/// The text, or 304 to a client that has it (RFC 9110, section 13.1.2).
fn cached<P: Platform>(cx: &Context<'_, P>, content_type: &str, text: &str) -> Reply {
    let tag = format!("\"{}\"", fingerprint(text));
    let known = cx.request.headers.header("if-none-match");
    let known = known.is_some_and(|list| {
        let mut tags = list.split(',').map(str::trim);
        tags.any(|one| one == "*" || one.trim_start_matches("W/") == tag)
    });
    let response = if known {
        Response::empty(304)
    } else {
        Response::new(200, content_type, text)
    };
    Reply::Raw(response)
        .with_header("etag", tag)
        .with_header("cache-control", "public, max-age=300")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;

    fn served(off: &str) -> Value {
        let app = App::new(|name| match name {
            "ENVIRONMENT" => Some("test".to_owned()),
            "FEATURES_DISABLED" => Some(off.to_owned()),
            _ => Some("a secret of thirty-two characters or more".to_owned())
                .filter(|_| name.ends_with("_SECRET") && name.starts_with(['J', 'S', 'A'])),
        });
        let ready = app.ready().unwrap();
        serde_json::from_str(&offered(ready.config.features).unwrap()).unwrap()
    }

    /// Rows: C-12
    #[test]
    fn api_keys_are_in_the_document_exactly_when_they_are_on() {
        let on = served("");
        assert!(on["components"]["securitySchemes"]["apiKey"].is_object());
        assert!(on["paths"]["/api/v1/usage/events"].is_object());
        let off = served("api_keys");
        assert!(!off.to_string().contains("\"apiKey\":"));
        assert_eq!(off["paths"].get("/api/v1/api-keys"), None);
        let events = &off["paths"]["/api/v1/usage/events"];
        assert!(events["get"].is_object() && events.get("post").is_none());
        // Members still may, and what is public has not changed.
        let ways = &off["paths"]["/api/v1/usage/summary"]["get"]["security"];
        assert_eq!(ways.as_array().map(Vec::len), Some(2), "{ways}");
        let plans = "/api/v1/billing/plans";
        assert_eq!(off["paths"][plans], on["paths"][plans]);
        let jobs = served("jobs");
        assert_eq!(jobs["paths"].get("/api/v1/jobs"), None);
        assert!(jobs["components"]["securitySchemes"]["apiKey"].is_object());
    }

    /// Rows: R-03
    #[test]
    fn the_page_may_load_its_own_style_and_nothing_else() {
        let policy = policy("<style>a{}</style>");
        // printf 'a{}' | openssl dgst -sha256 -binary | base64
        assert!(
            policy.contains("style-src 'sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk='"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains("http"));
        assert_eq!(PAGE.matches("<style>").count(), 1);
        for loaded in [
            "<script", "<link", "<img", "style=", "src=", "@import", "url(",
        ] {
            assert!(!PAGE.contains(loaded), "{loaded}");
        }
    }
}

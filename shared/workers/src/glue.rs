//! What Rust sees of `glue.js`, and the bindings by name.

use js_sys::{Array, JsString, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};

#[wasm_bindgen]
extern "C" {
    #[derive(Debug)]
    /// The Worker's environment, by the names that every `wrangler.toml` here uses.
    pub(crate) type Bindings;

    #[wasm_bindgen(method, getter, js_name = DB)]
    pub(crate) fn database(this: &Bindings) -> JsValue;
    #[wasm_bindgen(method, getter, js_name = KV)]
    pub(crate) fn key_value(this: &Bindings) -> JsValue;
    #[wasm_bindgen(method, getter, js_name = JOBS_QUEUE)]
    pub(crate) fn queue(this: &Bindings) -> JsValue;

    #[wasm_bindgen(js_namespace = console, js_name = debug)]
    pub(crate) fn log_debug(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    pub(crate) fn log_info(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = warn)]
    pub(crate) fn log_warn(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(crate) fn log_error(line: &str);
}

#[wasm_bindgen(module = "/src/glue.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    pub(crate) fn head(request: &Request, names: &Array) -> Result<String, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) fn respond(status: u16, fields: &str, body: &[u8]) -> Result<Response, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) async fn body(
        request: &Request,
        limit: u32,
        time: u32,
    ) -> Result<Uint8Array, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) async fn query(
        database: &JsValue,
        statements: &str,
        time: u32,
    ) -> Result<JsString, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) async fn kv_get(store: &JsValue, key: &str, time: u32) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) async fn kv_put(
        store: &JsValue,
        key: &str,
        value: &str,
        ttl: u32,
        time: u32,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) async fn kv_delete(
        store: &JsValue,
        key: &str,
        time: u32,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) async fn enqueue(queue: &JsValue, text: &str, time: u32)
    -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) async fn forward(service: &JsValue, request: &Request) -> Result<Response, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) async fn sleep(time: u32) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub(crate) async fn send(
        method: &str,
        url: &str,
        fields: &str,
        body: &[u8],
        limit: u32,
        time: u32,
    ) -> Result<Array, JsValue>;
}

/// What `within` in `glue.js` throws when the time is over.
pub(crate) fn is_late(error: &JsValue) -> bool {
    error.as_string().is_some_and(|text| text == "late")
}

/// The text of a thrown value, for the log.
pub(crate) fn reason(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => error.message().into(),
        None => error
            .as_string()
            .unwrap_or_else(|| "not an Error".to_owned()),
    }
}

/// Names and values, one a line, for `glue.js`. A field that HTTP cannot carry is left out: a
/// line break in a value would otherwise start a field of its own.
pub(crate) fn fields(headers: &[(&'static str, String)]) -> String {
    let mut text = String::with_capacity(1_024);
    for (name, value) in headers {
        if value
            .bytes()
            .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
        {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(name);
            text.push('\n');
            text.push_str(value);
        }
    }
    text
}

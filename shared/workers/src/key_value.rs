//! Workers KV.

use edgekeep_core::port::{KeyValue, KeyValueError};
use edgekeep_core::time::Millis;
use wasm_bindgen::JsValue;

use crate::glue;

/// The product works without KV, so it does not wait for it long.
const TIME_MS: u32 = 2_000;

/// The shortest lifetime that KV takes, in seconds.
const SHORTEST: u32 = 60;

/// A KV namespace.
#[derive(Debug)]
pub struct Kv(pub(crate) JsValue);

impl KeyValue for Kv {
    const COUNTS: bool = false;
    const EXPIRES: bool = true;

    async fn get(&self, key: &str, _now: Millis) -> Result<Option<String>, KeyValueError> {
        let value = glue::kv_get(&self.0, key, TIME_MS)
            .await
            .map_err(|error| failed(&error))?;
        Ok(value.as_string())
    }

    async fn put(
        &self,
        key: &str,
        value: &str,
        ttl_seconds: u32,
        _now: Millis,
    ) -> Result<(), KeyValueError> {
        let ttl = ttl_seconds.max(SHORTEST);
        glue::kv_put(&self.0, key, value, ttl, TIME_MS)
            .await
            .map_err(|error| failed(&error))?;
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        glue::kv_delete(&self.0, key, TIME_MS)
            .await
            .map_err(|error| failed(&error))?;
        Ok(())
    }

    async fn add(&self, _key: &str, _amount: i64, _ends: Millis) -> Result<i64, KeyValueError> {
        Err(KeyValueError("Workers KV does not count".to_owned()))
    }

    async fn sweep(&self, _now: Millis, _limit: u32) -> Result<u32, KeyValueError> {
        Ok(0)
    }
}

fn failed(error: &JsValue) -> KeyValueError {
    KeyValueError(glue::reason(error))
}

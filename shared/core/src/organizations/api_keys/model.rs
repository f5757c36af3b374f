//! What people see of a key.

use serde_json::{Map, Value as Json, json};

use super::key::{self, Environment};
use crate::http::Reply;
use crate::port::DatabaseError;
use crate::sql::Row;
use crate::tenancy::ApiScope;
use crate::time::Millis;

/// What a key's row tells, secret and hash apart.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) scopes: i64,
    pub(super) created_by: String,
    pub(super) created_at: Millis,
    pub(super) expires_at: Option<Millis>,
    pub(super) revoked_at: Option<Millis>,
    pub(super) environment: Environment,
    pub(super) networks: Option<String>,
    pub(super) uses: i64,
    pub(super) last_used_at: Option<Millis>,
    pub(super) replaced_by: Option<String>,
}

impl Shown {
    /// From a row of `store::shown!`.
    pub(super) fn read(row: &Row) -> Result<Self, DatabaseError> {
        let environment = Environment::parse(row.text(7)?)
            .ok_or_else(|| DatabaseError::Shape("an unknown environment".to_owned()))?;
        Ok(Self {
            id: row.text(0)?.to_owned(),
            name: row.text(1)?.to_owned(),
            scopes: row.int(2)?,
            created_by: row.text(3)?.to_owned(),
            created_at: Millis(row.int(4)?),
            expires_at: row.opt_int(5)?.map(Millis),
            revoked_at: row.opt_int(6)?.map(Millis),
            environment,
            networks: row.opt_text(8)?.map(str::to_owned),
            uses: row.int(9)?,
            last_used_at: row.opt_int(10)?.map(Millis),
            replaced_by: row.opt_text(11)?.map(str::to_owned),
        })
    }

    /// Its successor by a reroll: the same rights and end, with another owner and no past.
    pub(super) fn rerolled(&self, id: &str, user: &str, now: Millis) -> Self {
        Self {
            id: id.to_owned(),
            created_by: user.to_owned(),
            created_at: now,
            uses: 0,
            last_used_at: None,
            ..self.clone()
        }
    }

    fn status(&self, now: Millis) -> &'static str {
        if self.revoked_at.is_some() {
            "revoked"
        } else if self.expires_at.is_some_and(|end| end <= now) {
            "expired"
        } else {
            "live"
        }
    }

    pub(super) fn json(&self, now: Millis) -> Json {
        let time = |value: Option<Millis>| value.map(Millis::rfc3339);
        let networks = self.networks.as_deref();
        json!({
            "id": self.id,
            "prefix": key::prefix(self.environment, &self.id),
            "name": self.name,
            "environment": self.environment.name(),
            "scopes": ApiScope::names(self.scopes),
            "allowedIps": networks.map(|list| list.split(' ').collect::<Vec<_>>()),
            "status": self.status(now),
            "createdBy": self.created_by,
            "createdAt": self.created_at.rfc3339(),
            "expiresAt": time(self.expires_at),
            "revokedAt": time(self.revoked_at),
            "lastUsedAt": time(self.last_used_at),
            "uses": self.uses,
            "replacedBy": self.replaced_by,
        })
    }

    /// The answer to a creation with the key in it, and what a replay gives.
    pub(super) fn created(
        &self,
        text: &str,
        now: Millis,
        more: impl FnOnce(&mut Map<String, Json>),
    ) -> (Reply, Reply) {
        let mut shown = self.json(now);
        if let Some(object) = shown.as_object_mut() {
            more(object);
            object.insert("key".to_owned(), Json::Null);
        }
        let kept = Reply::json(201, &shown);
        if let Some(object) = shown.as_object_mut() {
            object.insert("key".to_owned(), json!(text));
        }
        (Reply::json(201, &shown), kept)
    }
}

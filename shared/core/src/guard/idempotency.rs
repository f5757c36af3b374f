//! Idempotency keys (draft-ietf-httpapi-idempotency-key-header-07, with 409 for a reused key).
//!
//! The claim is a row that is inserted by the same batch as the business write, with the answer
//! in it. So there is no state "claimed, not done": either both are there or neither is. Of two
//! parallel requests with one key the second one's batch breaks the unique key, is rolled back
//! whole, and its handler replays the first one's answer. KV serves replays without SQL bodies.

use serde::{Deserialize, Serialize};

use crate::crypto::{base64url, digest};
use crate::http::{Code, Error, HeaderSource, Idempotency, Reply, RouteInfo};
use crate::port::DatabaseError;
use crate::sql::{Row, Statement};
use crate::time::{DAY, Millis};

/// How long an answer can be replayed.
const KEPT: i64 = DAY;

crate::queries! {
    /// `?1` the claim.
    FIND: SystemQuery = "idempotency.find",
        "SELECT fingerprint, status, body, location, expires_at FROM idempotency_keys WHERE id = ?1";
    /// A claim that has expired makes room for a new one.
    EXPIRE: SystemQuery = "idempotency.expire",
        "DELETE FROM idempotency_keys WHERE id = ?1 AND expires_at <= ?2";
    /// Fails on a claim that exists, and takes the whole batch with it: that is its purpose.
    CLAIM: TenantQuery = "idempotency.claim", "
        INSERT INTO idempotency_keys
            (tenant_id, id, fingerprint, status, body, location, created_at, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    /// The same, only if the batch has written the audit entry `?9`.
    CLAIM_IF: TenantQuery = "idempotency.claim_if_done", "
        INSERT INTO idempotency_keys
            (tenant_id, id, fingerprint, status, body, location, created_at, expires_at)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
        WHERE EXISTS (SELECT 1 FROM audit_log WHERE id = ?9)";
}

/// A key as one caller sent it for one route.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Hash of caller, route and key.
    pub(crate) id: String,
    fingerprint: String,
}

/// An answer that can be given again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stored {
    fingerprint: String,
    status: u16,
    body: String,
    location: Option<String>,
    /// Said in the copy too: KV may keep it longer.
    expires_at: i64,
}

impl Stored {
    /// Itself, unless its day is over.
    pub(crate) fn live(self, now: Millis) -> Option<Self> {
        (self.expires_at > now.0).then_some(self)
    }
}

impl Claim {
    /// The claim of a request, if its route takes one and it carries one.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_INVALID`, or `IDEMPOTENCY_KEY_MISSING` where one is required.
    pub(crate) fn of(
        route: &RouteInfo,
        headers: &dyn HeaderSource,
        caller: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Option<Self>, Error> {
        if route.idempotency == Idempotency::None {
            return Ok(None);
        }
        let Some(key) = headers.header("idempotency-key") else {
            return match route.idempotency {
                Idempotency::Required => Err(Error::new(Code::IdempotencyKeyMissing)),
                Idempotency::None | Idempotency::Optional => Ok(None),
            };
        };
        if !(1..=255).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::new(Code::IdempotencyKeyInvalid));
        }
        let scope = [caller.as_bytes(), route.name.as_bytes(), key.as_bytes()];
        Ok(Some(Self {
            id: base64url(&digest(&scope)),
            fingerprint: base64url(&digest(&[path.as_bytes(), body])),
        }))
    }

    pub(crate) fn kv_key(&self) -> String {
        format!("idem:{}", self.id)
    }

    pub(crate) fn find(&self) -> Statement {
        FIND.bind([self.id.as_str().into()])
    }

    /// The statements that make room and claim, with the answer to keep.
    pub(crate) fn statements(
        &self,
        tenant: &crate::tenancy::TenantId,
        stored: &Stored,
        now: Millis,
    ) -> [Statement; 2] {
        let claim = CLAIM.bind(
            tenant,
            [
                self.id.as_str().into(),
                stored.fingerprint.as_str().into(),
                i64::from(stored.status).into(),
                stored.body.as_str().into(),
                stored.location.clone().into(),
                now.into(),
                stored.expires_at.into(),
            ],
        );
        [EXPIRE.bind([self.id.as_str().into(), now.into()]), claim]
    }

    /// The same for a guarded batch: claims only if the entry `record` was written, and reads
    /// the claim that then is there, which may be a faster twin's.
    pub(crate) fn statements_if(
        &self,
        tenant: &crate::tenancy::TenantId,
        stored: &Stored,
        record: &str,
        now: Millis,
    ) -> [Statement; 3] {
        let claim = CLAIM_IF.bind(
            tenant,
            [
                self.id.as_str().into(),
                stored.fingerprint.as_str().into(),
                i64::from(stored.status).into(),
                stored.body.as_str().into(),
                stored.location.clone().into(),
                now.into(),
                stored.expires_at.into(),
                record.into(),
            ],
        );
        let expire = EXPIRE.bind([self.id.as_str().into(), now.into()]);
        [expire, claim, self.find()]
    }

    /// What to keep of `reply` for a day; `None` for replies that have no JSON to keep.
    pub(crate) fn keep(&self, reply: &Reply, now: Millis) -> Option<Stored> {
        let Reply::Json {
            status,
            data,
            headers,
            ..
        } = reply
        else {
            return None;
        };
        let location = headers.iter().find(|(name, _)| *name == "location");
        Some(Stored {
            fingerprint: self.fingerprint.clone(),
            status: *status,
            body: data.clone(),
            location: location.map(|(_, value)| value.clone()),
            expires_at: now.plus(KEPT).0,
        })
    }

    /// The stored answer in the rows of [`Self::find`], unless it has expired.
    pub(crate) fn stored(rows: &[Row], now: Millis) -> Result<Option<Stored>, DatabaseError> {
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let stored = Stored {
            fingerprint: row.text(0)?.to_owned(),
            status: u16::try_from(row.int(1)?).unwrap_or(200),
            body: row.text(2)?.to_owned(),
            location: row.opt_text(3)?.map(str::to_owned),
            expires_at: row.int(4)?,
        };
        Ok(stored.live(now))
    }

    /// The first answer again.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED` when the request differs from the first.
    pub(crate) fn replay(&self, stored: Stored) -> Result<Reply, Error> {
        if stored.fingerprint != self.fingerprint {
            return Err(Error::new(Code::IdempotencyKeyReused));
        }
        let mut headers = vec![("idempotent-replayed", "true".to_owned())];
        headers.extend(stored.location.map(|location| ("location", location)));
        Ok(Reply::Json {
            status: stored.status,
            data: stored.body,
            headers,
            next_cursor: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Key(Option<&'static str>);

    impl HeaderSource for Key {
        fn header(&self, name: &str) -> Option<String> {
            assert_eq!(name, "idempotency-key");
            self.0.map(str::to_owned)
        }
    }

    fn claim(takes: Idempotency, key: Option<&'static str>) -> Result<Option<Claim>, Code> {
        let mut route = RouteInfo::background("r", "/r");
        route.idempotency = takes;
        Claim::of(&route, &Key(key), "c", "/r", b"{}").map_err(|error| error.code())
    }

    /// Rows: F-03
    #[test]
    fn a_key_is_missed_where_it_is_required_alone() {
        let required = Idempotency::Required;
        assert_eq!(
            claim(required, None).err(),
            Some(Code::IdempotencyKeyMissing)
        );
        assert!(claim(required, Some("k")).is_ok_and(|claim| claim.is_some()));
        assert!(claim(Idempotency::Optional, None).is_ok_and(|claim| claim.is_none()));
        assert!(claim(Idempotency::None, Some("k")).is_ok_and(|claim| claim.is_none()));
        for bad in ["", "two words", "\u{7f}"] {
            let told = claim(Idempotency::Optional, Some(bad)).err();
            assert_eq!(told, Some(Code::IdempotencyKeyInvalid), "{bad}");
        }
    }
}

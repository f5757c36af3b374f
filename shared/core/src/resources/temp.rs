//! Temporary ids: what a client calls a thing until it knows the id.
//!
//! A client may show what it creates before the server has answered, under a `temp_<uuid>` of its
//! own. It sends that as `client_temp_id`; the answer has both ids, and a repetition gives the same
//! thing again instead of a second one. The mapping is a row of `temp_ids`, for a week.

use serde_json::Value as Json;

use super::model::Resource;
use super::store::KEEP_TEMP;
use crate::audit::Record;
use crate::fields::Fields;
use crate::guard::identity::Credential;
use crate::http::{Actor, Context, Error};
use crate::port::Platform;
use crate::sql::Statement;
use crate::tenancy::TenantId;
use crate::time::DAY;

const FIELD: &str = "client_temp_id";
const PREFIX: &str = "temp_";
/// How long a temporary id stands for its thing. Longer than an `Idempotency-Key`: a client that
/// was offline comes back after days.
const KEPT: i64 = 7 * DAY;

/// Whether `text` is a temporary id and nothing else.
pub(super) fn is_temp(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix(PREFIX) else {
        return false;
    };
    let mut groups = uuid.split('-');
    let sound = [8, 4, 4, 4, 12].into_iter().all(|length| {
        groups.next().is_some_and(|group| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    });
    sound && groups.next().is_none()
}

/// Whether a temporary id is somewhere in `value`.
pub(super) fn is_within(value: &Json) -> bool {
    match value {
        Json::String(text) => is_temp(text),
        Json::Array(items) => items.iter().any(is_within),
        Json::Object(members) => {
            let mut members = members.iter();
            members.any(|(name, value)| is_temp(name) || is_within(value))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// The temporary id of a creation.
#[derive(Debug)]
pub(super) struct TempId {
    /// As the client wrote it, so that it finds it again.
    pub(super) shown: String,
    /// In lower case, in which a UUID is compared (RFC 9562, section 4).
    stored: String,
}

impl TempId {
    /// From the body of a creation.
    ///
    /// # Errors
    /// `VALIDATION` for one of another form.
    pub(super) fn read(fields: &mut Fields) -> Result<Option<Self>, Error> {
        let Some(shown) = fields.opt_text(FIELD, 1, 64)? else {
            return Ok(None);
        };
        if !is_temp(&shown) {
            return Err(Error::invalid(FIELD, "Must be temp_ and a UUID."));
        }
        let stored = shown.to_ascii_lowercase();
        Ok(Some(Self { shown, stored }))
    }

    pub(super) fn stored(&self) -> &str {
        &self.stored
    }

    /// Reads what it stands for already, for this caller.
    pub(super) fn find<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        resource: &Resource,
        tenant: &TenantId,
    ) -> Statement {
        let (user, key) = match cx.credential() {
            Credential::Member(claims) => (Some(claims.user.as_str()), None),
            Credential::Key(key) => (None, Some(key.id.as_str())),
            Credential::None | Credential::Service(_) => (None, None),
        };
        let id = self.stored.as_str().into();
        let params = [user.into(), key.into(), id, cx.now.into()];
        resource.sql.by_temp.bind(tenant, params)
    }

    /// Writes down what it stands for, if the creation was recorded.
    pub(super) fn keep<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        resource: &Resource,
        actor: &Actor,
        id: &str,
        record: &Record,
    ) -> Statement {
        KEEP_TEMP.bind(
            &actor.tenant,
            [
                actor.user.as_str().into(),
                self.stored.as_str().into(),
                resource.name.into(),
                id.into(),
                cx.now.into(),
                cx.now.plus(KEPT).into(),
                record.id.as_str().into(),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: AA-04
    #[test]
    fn temporary_ids_have_one_form() {
        let good = "temp_0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f6071";
        assert!(is_temp(good));
        assert!(is_temp(
            &good.to_ascii_uppercase().replace("TEMP_", "temp_")
        ));
        for bad in [
            "",
            "temp_",
            "temp_1",
            "0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f6071",
            "temp_0f3c5a7b9d1e4f408a1b2c3d4e5f6071",
            "temp_0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f607",
            "temp_0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f6071-",
            "temp_0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f607g",
            "TEMP_0f3c5a7b-9d1e-4f40-8a1b-2c3d4e5f6071",
        ] {
            assert!(!is_temp(bad), "{bad}");
        }
        let within = |text: &str| is_within(&serde_json::from_str(text).unwrap());
        assert!(within(&format!(r#"{{"a":[{{"b":"{good}"}}]}}"#)));
        assert!(within(&format!(r#"{{"{good}":1}}"#)));
        assert!(!within(&format!(r#"{{"a":"see {good}"}}"#)));
    }
}

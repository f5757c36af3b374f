//! Who is calling: the credential a request carries, and the rows that say what it is worth
//! right now.

use crate::auth::cookie;
use crate::auth::token::{AccessClaims, ServiceClaims};
use crate::http::{Access, Actor, Code, Error, HeaderSource};
use crate::organizations::api_keys::key::KeyCredential;
use crate::organizations::api_keys::network;
use crate::sql::{Row, Statement};
use crate::tenancy::{Held, Permission, PlanFeatures, Role, TenantId};
use crate::time::Millis;

crate::queries! {
    /// `?1` session, `?2` user, `?3` tenant, all three from a signed token.
    SESSION_STATE: CredentialQuery = "identity.session", concat!("
        SELECT m.role, t.plan_id, s.revoked_at, s.expires_at, u.disabled_at, t.deleted_at,
            s.amr, t.mfa_required_for,
            p.features || COALESCE(' ' || t.features, '') AS features, ", crate::own_role_columns!("m"), ",
            p.rate_limits AS plan_limits, t.rate_limits AS own_limits, t.trial_stage
        FROM sessions s
        JOIN users u ON u.id = s.user_id
        JOIN memberships m ON m.user_id = s.user_id AND m.tenant_id = s.tenant_id
        JOIN tenants t ON t.id = s.tenant_id
        JOIN plans p ON p.id = t.plan_id
        ", crate::join_own_role!("m"), "
        WHERE s.id = ?1 AND s.user_id = ?2 AND s.tenant_id = ?3");
    /// `?1` key id, `?2` hash of its secret.
    KEY_STATE: CredentialQuery = "identity.api_key", concat!("
        SELECT k.tenant_id, t.plan_id, k.scopes, k.user_id, k.revoked_at, k.expires_at, m.role,
            u.disabled_at, t.deleted_at, k.networks,
            p.features || COALESCE(' ' || t.features, '') AS features, ", crate::own_role_columns!("m"), ",
            p.rate_limits AS plan_limits, t.rate_limits AS own_limits, t.trial_stage
        FROM api_keys k
        JOIN tenants t ON t.id = k.tenant_id
        JOIN users u ON u.id = k.user_id
        JOIN memberships m ON m.user_id = k.user_id AND m.tenant_id = k.tenant_id
        JOIN plans p ON p.id = t.plan_id
        ", crate::join_own_role!("m"), "
        WHERE k.id = ?1 AND k.secret_hash = ?2");
}

/// What a request carries, as far as it can be judged without the database.
#[derive(Debug, Clone)]
pub enum Credential {
    /// Nothing.
    None,
    /// An access token whose signature, times and claims are right.
    Member(AccessClaims),
    /// An API key whose checksum is right.
    Key(KeyCredential),
    /// A service token for this function.
    Service(ServiceClaims),
}

impl Credential {
    /// A text that is different for every caller, for limits and idempotency scopes; `None`
    /// for the anonymous.
    pub fn caller(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Member(claims) => Some(format!("member:{}:{}", claims.tenant, claims.user)),
            Self::Key(key) => Some(format!("key:{}:{}", key.id, key.secret_hash)),
            Self::Service(claims) => Some(format!("service:{}", claims.caller)),
        }
    }

    /// Who carries it, by a name that tells nothing of them: the ids of members and keys, the names of services.
    pub(crate) fn actor(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Member(claims) => Some(claims.user.clone()),
            Self::Key(key) => Some(key.id.clone()),
            Self::Service(claims) => Some(["service:", &claims.caller].concat()),
        }
    }

    /// The statement that tells what the credential is worth now.
    ///
    /// # Errors
    /// `AUTH_REQUIRED` for callers that are nobody's member.
    pub(crate) fn state(&self) -> Result<Statement, Error> {
        match self {
            Self::Member(claims) => Ok(SESSION_STATE.bind([
                claims.session.as_str().into(),
                claims.user.as_str().into(),
                claims.tenant.as_str().into(),
            ])),
            Self::Key(key) => {
                Ok(KEY_STATE.bind([key.id.as_str().into(), key.secret_hash.as_str().into()]))
            }
            Self::None | Self::Service(_) => Err(Error::new(Code::AuthRequired)),
        }
    }

    /// The rate limits of the plan and of the tenant itself, by the rows of [`Self::state`].
    pub(crate) fn limits<'r>(&self, rows: &'r [Row]) -> [Option<&'r str>; 2] {
        let columns = match self {
            Self::Member(_) => [13, 14],
            Self::Key(_) => [15, 16],
            Self::None | Self::Service(_) => return [None, None],
        };
        columns.map(|at| rows.first()?.opt_text(at).ok()?)
    }

    /// Whether the tenant's trial has expired, by the same rows.
    pub(crate) fn trial_over(&self, rows: &[Row]) -> bool {
        let at = match self {
            Self::Member(_) => 15,
            _ => 17,
        };
        let stage = rows.first().and_then(|row| row.opt_text(at).ok());
        stage == Some(Some("expired"))
    }

    /// The actor, if the rows of [`Self::state`] and the route's policy allow it to a client at
    /// that address.
    pub(crate) fn judge(
        &self,
        rows: &[Row],
        access: Access,
        client: &str,
        now: Millis,
    ) -> Result<Actor, Error> {
        match self {
            Self::Member(claims) => judge_member(claims, rows.first(), access, now),
            Self::Key(_) => judge_key(rows.first(), access, client, now),
            Self::None | Self::Service(_) => Err(Error::new(Code::AuthRequired)),
        }
    }
}

fn judge_member(
    claims: &AccessClaims,
    row: Option<&Row>,
    access: Access,
    now: Millis,
) -> Result<Actor, Error> {
    let row = row.ok_or_else(|| Error::new(Code::SessionEnded))?;
    let gone = row.opt_int(4)?.is_some() || row.opt_int(5)?.is_some();
    if gone || row.opt_int(2)?.is_some() || row.int(3)? <= now.0 {
        return Err(Error::new(Code::SessionEnded));
    }
    let held = Held::read(row, 0, 9)?;
    let (Access::Member(permission) | Access::MemberOrKey(permission, _)) = access else {
        return Err(Error::new(Code::Forbidden));
    };
    let permissions = held.permissions();
    if !permissions.hold(permission) {
        return Err(Error::lacks(permission));
    }
    let asked = match row.opt_text(7)? {
        None => false,
        Some("admins") => matches!(held.rank, Role::Founder | Role::Admin),
        Some(_) => true,
    };
    if asked && !row.text(6)?.contains(' ') && permission != Permission::OwnAccess {
        return Err(Error::new(Code::MfaRequired));
    }
    Ok(Actor {
        tenant: TenantId::proven(claims.tenant.as_str()),
        plan: row.text(1)?.to_owned(),
        features: PlanFeatures::stored(row.text(8)?),
        user: claims.user.clone(),
        held,
        permissions,
        session: Some(claims.session.clone()),
        networks: None,
    })
}

/// A key is worth what its owner is worth now: it ends with the owner and the tenant, and what
/// the owner's role does not allow no key does either.
fn judge_key(row: Option<&Row>, access: Access, client: &str, now: Millis) -> Result<Actor, Error> {
    let row = row.ok_or_else(|| Error::new(Code::ApiKeyInvalid))?;
    let gone = row.opt_int(7)?.is_some() || row.opt_int(8)?.is_some();
    let ended = row.opt_int(4)?.is_some() || row.opt_int(5)?.is_some_and(|end| end <= now.0);
    if gone || ended {
        return Err(Error::new(Code::ApiKeyInvalid));
    }
    let networks = row.opt_text(9)?;
    if networks.is_some_and(|list| !network::admits(list, client)) {
        return Err(Error::new(Code::IpNotAllowed));
    }
    let held = Held::read(row, 6, 11)?;
    let (Access::Key(permission, wanted) | Access::MemberOrKey(permission, wanted)) = access else {
        return Err(Error::new(Code::Forbidden));
    };
    if row.int(2)? & wanted.bit() == 0 {
        let missing = format!("This API key lacks the scope {}.", wanted.name());
        return Err(Error::new(Code::ScopeMissing).with_message(missing));
    }
    let permissions = held.permissions();
    if !permissions.hold(permission) {
        return Err(Error::lacks(permission));
    }
    Ok(Actor {
        tenant: TenantId::proven(row.text(0)?),
        plan: row.text(1)?.to_owned(),
        features: PlanFeatures::stored(row.text(10)?),
        user: row.text(3)?.to_owned(),
        held,
        permissions,
        session: None,
        networks: networks.map(str::to_owned),
    })
}

/// The credential of a request, read from `Authorization`, `X-Api-Key` or the session's cookie.
pub(crate) enum Presented {
    None,
    Bearer(String),
    /// From a browser's cookie; whoever sends it may not have meant to.
    Cookie(String),
}

impl Presented {
    /// # Errors
    /// `AUTH_REQUIRED` for schemes other than Bearer.
    pub(crate) fn read(headers: &dyn HeaderSource) -> Result<Self, Error> {
        if let Some(value) = headers.header("authorization") {
            let (scheme, token) = value.split_once(' ').unwrap_or((value.as_str(), ""));
            let token = token.trim();
            if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
                let how = "Sign in required: send authorization: Bearer <token>.";
                return Err(Error::new(Code::AuthRequired).with_message(how));
            }
            return Ok(Self::Bearer(token.to_owned()));
        }
        if let Some(key) = headers.header("x-api-key") {
            return Ok(Self::Bearer(key));
        }
        Ok(cookie::read(headers, cookie::ACCESS).map_or(Self::None, Self::Cookie))
    }
}

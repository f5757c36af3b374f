//! The rows of second factors and the statements that read and write them.

use crate::port::DatabaseError;
use crate::sql::Row;

/// The condition that a factor or recovery code of user `$user` carries the mark `$claim`.
macro_rules! claimed {
    ($user:literal, $claim:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM mfa_factors f WHERE f.user_id = ",
            $user,
            " AND f.claimed_by = ",
            $claim,
            ") OR EXISTS (SELECT 1 FROM mfa_recovery_codes r WHERE r.user_id = ",
            $user,
            " AND r.claimed_by = ",
            $claim,
            "))"
        )
    };
}
pub(in crate::auth) use claimed;

/// The statement that keeps a set of recovery codes, if the entry `?3` was recorded.
macro_rules! insert_codes {
    ($each:literal) => {
        concat!(
            "INSERT INTO mfa_recovery_codes (user_id, code_hash, created_at) \
             SELECT ?1, j.value->>0, CAST(?4 AS BIGINT) FROM ",
            $each,
            " AS j WHERE EXISTS (SELECT 1 FROM audit_log WHERE id = ?3) RETURNING code_hash"
        )
    };
}

macro_rules! insert_challenge {
    ($lock:literal) => {
        concat!(
            "INSERT INTO mfa_challenges (id, tenant_id, user_id, amr, created_at, expires_at)
            VALUES (?2, ?1, (SELECT id FROM users WHERE id = ?3 AND updated_at = ?7
                AND disabled_at IS NULL",
            $lock,
            "), ?4, ?5, ?6)"
        )
    };
}

crate::queries! {
    /// `?1` user.
    FACTORS: CredentialQuery = "mfa.factors", "
        SELECT kind, secret, last_step, code_expires_at, tries, enabled_at FROM mfa_factors
        WHERE user_id = ?1 ORDER BY kind DESC";
    /// `?1` address. What a sign-in must ask for.
    FACTORS_BY_EMAIL: SystemQuery = "mfa.factors_by_email", "
        SELECT f.kind FROM mfa_factors f JOIN users u ON u.id = f.user_id
        WHERE u.email = ?1 AND f.enabled_at IS NOT NULL ORDER BY f.kind DESC";
    /// `?1` user. What a sign-in must ask for.
    FACTORS_ON: SystemQuery = "mfa.factors_on", "
        SELECT kind FROM mfa_factors
        WHERE user_id = ?1 AND enabled_at IS NOT NULL ORDER BY kind DESC";
    /// `?1` user.
    CODES_LEFT: CredentialQuery = "mfa.codes_left",
        "SELECT COUNT(*) FROM mfa_recovery_codes WHERE user_id = ?1 AND used_at IS NULL";
    /// `?1` user, `?2` session of theirs.
    OWNER: CredentialQuery = "mfa.owner", "
        SELECT u.email, u.password_hash, s.created_at, s.amr
        FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?2 AND u.id = ?1";
    /// `?1` user, `?2` kind, `?3` secret, `?4` end of its code, `?5` mark, `?6` now. No row comes
    /// back when it is on already.
    SET_UP: CredentialQuery = "mfa.set_up", "
        INSERT INTO mfa_factors (user_id, kind, secret, code_expires_at, claimed_by, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (user_id, kind) DO UPDATE SET secret = excluded.secret,
            code_expires_at = excluded.code_expires_at, tries = 0, last_step = 0,
            claimed_by = excluded.claimed_by, created_at = excluded.created_at
        WHERE mfa_factors.enabled_at IS NULL RETURNING kind";
    /// `?1` user, `?2` kind, `?3` the secret that was proven, `?4` step, `?5` mark, `?6` now.
    TURN_ON: CredentialQuery = "mfa.turn_on", "
        UPDATE mfa_factors SET enabled_at = ?6, last_step = ?4, claimed_by = ?5,
            secret = CASE WHEN kind = 'totp' THEN secret END
        WHERE user_id = ?1 AND kind = ?2 AND secret = ?3 AND enabled_at IS NULL RETURNING kind";
    /// `?1` session, `?2` how it is proven now, `?3` the entry that must be there.
    RAISE: CredentialQuery = "mfa.raise_session", "
        UPDATE sessions SET amr = ?2
        WHERE id = ?1 AND EXISTS (SELECT 1 FROM audit_log WHERE id = ?3)";

    /// `?1` user. An answer counts as a try of the mailed code.
    COUNT_TRY: CredentialQuery = "mfa.count_try", "
        UPDATE mfa_factors SET tries = tries + 1
        WHERE user_id = ?1 AND kind = 'email' AND secret IS NOT NULL";
    /// `?1` user, `?2` hash.
    RECOVERY_CODE: CredentialQuery = "mfa.recovery_code", "
        SELECT code_hash FROM mfa_recovery_codes
        WHERE user_id = ?1 AND code_hash = ?2 AND used_at IS NULL";
    /// `?1` user, `?2` mark, `?3` step, `?4` the secret sealed anew, or NULL.
    CLAIM_TOTP: CredentialQuery = "mfa.claim_totp", "
        UPDATE mfa_factors SET last_step = ?3, claimed_by = ?2,
            secret = COALESCE(CAST(?4 AS TEXT), secret)
        WHERE user_id = ?1 AND kind = 'totp' AND last_step < ?3 AND enabled_at IS NOT NULL
        RETURNING user_id";
    /// `?1` user, `?2` mark, `?3` hash of the code, `?4` now, `?5` most tries.
    CLAIM_EMAIL: CredentialQuery = "mfa.claim_email", "
        UPDATE mfa_factors SET secret = NULL, claimed_by = ?2
        WHERE user_id = ?1 AND kind = 'email' AND secret = ?3 AND code_expires_at > ?4
            AND tries <= ?5 AND enabled_at IS NOT NULL RETURNING user_id";
    /// `?1` user, `?2` mark, `?3` hash, `?4` now.
    CLAIM_RECOVERY: CredentialQuery = "mfa.claim_recovery", "
        UPDATE mfa_recovery_codes SET used_at = ?4, claimed_by = ?2
        WHERE user_id = ?1 AND code_hash = ?3 AND used_at IS NULL RETURNING user_id";
    /// `?1` user, `?2` mark: for a session that proved its factor just now.
    CLAIM_BY_SESSION: CredentialQuery = "mfa.claim_by_session", "
        UPDATE mfa_factors SET claimed_by = ?2 WHERE user_id = ?1 AND enabled_at IS NOT NULL
        RETURNING user_id";
    /// The entry is the mark, its target the user.
    RECORD: TenantQuery = "mfa.record", crate::record_where!(
        "FROM users WHERE id = ?5 AND \
         (EXISTS (SELECT 1 FROM mfa_factors f WHERE f.user_id = ?5 AND f.claimed_by = ?2) \
         OR EXISTS (SELECT 1 FROM mfa_recovery_codes r WHERE r.user_id = ?5 AND r.claimed_by = ?2))");

    /// `?1` tenant, `?2` id, `?3` user, `?4` first factor, `?5` now, `?6` end, `?7` when the user
    /// was changed last, as in `auth.insert_session`.
    INSERT_CHALLENGE: TenantQuery = "mfa.insert_challenge", insert_challenge!(""),
        postgres = insert_challenge!(" FOR SHARE");
    /// `?1` id, `?2` user, `?3` now.
    CHALLENGE: CredentialQuery = "mfa.challenge", "
        SELECT c.tenant_id, m.role, c.amr, u.email
        FROM mfa_challenges c
        JOIN users u ON u.id = c.user_id
        JOIN tenants t ON t.id = c.tenant_id
        JOIN memberships m ON m.user_id = c.user_id AND m.tenant_id = c.tenant_id
        WHERE c.id = ?1 AND c.user_id = ?2 AND c.session_id IS NULL AND c.expires_at > ?3
            AND u.disabled_at IS NULL AND t.deleted_at IS NULL";
    /// `?1` challenge, `?2` the session that it becomes, which is the mark, `?3` now.
    SPEND_CHALLENGE: CredentialQuery = "mfa.spend_challenge", concat!("
        UPDATE mfa_challenges SET session_id = ?2
        WHERE id = ?1 AND session_id IS NULL AND expires_at > ?3
            AND ", claimed!("mfa_challenges.user_id", "?2"));
    /// As `auth.insert_session`, only if a challenge became this session.
    INSERT_SESSION: TenantQuery = "mfa.insert_session", "
        INSERT INTO sessions (id, tenant_id, user_id, refresh_counter, refreshed_at, created_at,
            expires_at, ends_at, amr, user_agent, network)
        SELECT ?2, ?1, ?3, 0, ?4, ?4, ?5, ?6, ?7, ?8, ?9 FROM mfa_challenges WHERE session_id = ?2
        RETURNING id";
    /// The target is the session.
    RECORD_SESSION: TenantQuery = "mfa.record_session",
        crate::record_where!("FROM sessions WHERE id = ?5");

    /// `?1` user, `?2` kind or NULL for all, `?3` the entry that must be there.
    TURN_OFF: CredentialQuery = "mfa.turn_off", "
        DELETE FROM mfa_factors WHERE user_id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR kind = ?2)
            AND EXISTS (SELECT 1 FROM audit_log WHERE id = ?3) RETURNING kind";
    /// `?1` user, `?2` the entry that must be there: no codes without a factor.
    DROP_CODES: CredentialQuery = "mfa.drop_codes", "
        DELETE FROM mfa_recovery_codes WHERE user_id = ?1
            AND EXISTS (SELECT 1 FROM audit_log WHERE id = ?2)
            AND NOT EXISTS (SELECT 1 FROM mfa_factors
                WHERE user_id = ?1 AND enabled_at IS NOT NULL)";
    /// `?1` user, `?2` the entry that must be there: without a factor no session has proven one.
    LOWER: CredentialQuery = "mfa.lower_sessions", "
        UPDATE sessions SET amr = REPLACE(amr, ' otp', '')
        WHERE user_id = ?1 AND revoked_at IS NULL AND EXISTS (SELECT 1 FROM audit_log WHERE id = ?2)
            AND NOT EXISTS (SELECT 1 FROM mfa_factors
                WHERE user_id = ?1 AND enabled_at IS NOT NULL)";
    /// `?1` user, `?2` the entry that must be there.
    DELETE_CODES: CredentialQuery = "mfa.delete_codes", "
        DELETE FROM mfa_recovery_codes WHERE user_id = ?1
            AND EXISTS (SELECT 1 FROM audit_log WHERE id = ?2)";
    /// `?1` user, `?2` the hashes, `?3` the entry that must be there, `?4` now.
    INSERT_CODES: CredentialQuery = "mfa.insert_codes", insert_codes!("json_each(?2)"),
        postgres = insert_codes!("jsonb_array_elements(CAST(CAST(?2 AS TEXT) AS jsonb))");

    /// `?1` user, `?2` hash of the code, `?3` its end. The code before it works no more.
    NEW_EMAIL_CODE: CredentialQuery = "mfa.new_email_code", "
        UPDATE mfa_factors SET secret = ?2, code_expires_at = ?3, tries = 0
        WHERE user_id = ?1 AND kind = 'email' AND enabled_at IS NOT NULL";
}

/// What a factor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) enum Kind {
    /// Codes of an authenticator app.
    Totp,
    /// Codes by mail.
    Email,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Email => "email",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::Totp, Self::Email]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// The kinds in the first column of these rows.
pub(in crate::auth) fn kinds(rows: &[Row]) -> Result<Vec<Kind>, DatabaseError> {
    rows.iter().map(kind).collect()
}

fn kind(row: &Row) -> Result<Kind, DatabaseError> {
    Kind::parse(row.text(0)?).ok_or_else(|| DatabaseError::Shape("unknown factor".to_owned()))
}

/// A factor of a user ([`FACTORS`]).
pub(super) struct Factor {
    pub(super) kind: Kind,
    /// TOTP: the sealed secret. E-mail: the hash of the code that was sent and not used.
    pub(super) secret: Option<String>,
    pub(super) last_step: i64,
    pub(super) code_expires_at: Option<i64>,
    pub(super) tries: i64,
    pub(super) enabled: bool,
}

impl Factor {
    pub(super) fn all(rows: &[Row]) -> Result<Vec<Self>, DatabaseError> {
        rows.iter().map(Self::from_row).collect()
    }

    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            kind: kind(row)?,
            secret: row.opt_text(1)?.map(str::to_owned),
            last_step: row.int(2)?,
            code_expires_at: row.opt_int(3)?,
            tries: row.int(4)?,
            enabled: row.opt_int(5)?.is_some(),
        })
    }
}

/// A signed-in user and their session ([`OWNER`]).
pub(super) struct Owner {
    pub(super) email: String,
    pub(super) password_hash: String,
    pub(super) signed_in_at: i64,
    pub(super) amr: String,
}

impl Owner {
    pub(super) fn from_rows(rows: &[Row]) -> Result<Self, DatabaseError> {
        let row = rows
            .first()
            .ok_or_else(|| DatabaseError::Shape("no owner of this session".to_owned()))?;
        Ok(Self {
            email: row.text(0)?.to_owned(),
            password_hash: row.text(1)?.to_owned(),
            signed_in_at: row.int(2)?,
            amr: row.text(3)?.to_owned(),
        })
    }
}

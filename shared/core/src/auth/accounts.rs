//! The rows of accounts: registration, confirmation, sign-in.

use crate::port::DatabaseError;
use crate::sql::Row;
use crate::time::Millis;

/// The columns of [`Account`], in its order.
macro_rules! account_columns {
    () => {
        "u.id, u.password_hash, u.email_verified_at, u.disabled_at, m.tenant_id, m.role, \
         u.updated_at"
    };
}
pub(super) use account_columns;

crate::queries! {
    /// `?1` address.
    KNOWN: SystemQuery = "accounts.known", "
        SELECT id, email_verified_at, disabled_at FROM users WHERE email = ?1";
    /// `?1` id, `?2` address, `?3` password hash, `?4` hash of the link's token, `?5` its end,
    /// `?6` now. Until the address is confirmed nobody has proven that it is theirs, so the newest
    /// registration wins and the link before dies. No row comes back for a confirmed address.
    REGISTER: SystemQuery = "accounts.register", "
        INSERT INTO users (id, email, password_hash, email_verification_hash,
            email_verification_expires_at, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
        ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash,
            email_verification_hash = excluded.email_verification_hash,
            email_verification_expires_at = excluded.email_verification_expires_at,
            password_reset_hash = NULL, password_reset_expires_at = NULL,
            updated_at = excluded.updated_at
        WHERE users.email_verified_at IS NULL AND users.disabled_at IS NULL
        RETURNING id";
    /// `?1` tenant, `?2` name, `?3` now, `?4` user: only if that user was just inserted. `?5` plan of
    /// its trial and `?6` the trial's end, or NULL; no trial where there is no such plan.
    INSERT_TENANT: TenantQuery = "accounts.insert_tenant", "
        INSERT INTO tenants (id, name, plan_id, created_at, updated_at,
            trial_plan, trial_started_at, trial_ends_at, trial_stage)
        SELECT ?1, ?2, COALESCE(p.id, 'FREE'), ?3, ?3, p.id,
            CASE WHEN p.id IS NOT NULL THEN CAST(?3 AS BIGINT) END,
            CASE WHEN p.id IS NOT NULL THEN CAST(?6 AS BIGINT) END,
            CASE WHEN p.id IS NOT NULL THEN 'started' END
        FROM users u LEFT JOIN plans p ON p.id = CAST(?5 AS TEXT) WHERE u.id = ?4";
    /// `?1` tenant, `?2` user, `?3` now: only if that user exists.
    INSERT_FOUNDER: TenantQuery = "accounts.insert_founder", "
        INSERT INTO memberships (tenant_id, user_id, role, created_at)
        SELECT ?1, id, 'founder', ?3 FROM users WHERE id = ?2";
    /// `?1` hash of the link's token, `?2` name, `?3` now. The tenant of a registration that was
    /// replaced gets the new name; a tenant with other members keeps its own.
    RENAME_TENANT: CredentialQuery = "accounts.rename_tenant", "
        UPDATE tenants SET name = ?2, updated_at = ?3
        WHERE id IN (SELECT m.tenant_id FROM memberships m JOIN users u ON u.id = m.user_id
            WHERE u.email_verification_hash = ?1 AND m.role = 'founder' AND NOT EXISTS (
                SELECT 1 FROM memberships o
                WHERE o.tenant_id = m.tenant_id AND o.user_id <> m.user_id))";
    /// `?1` address, `?2` hash of the new link's token, `?3` its end. `updated_at` stays, or
    /// anybody could keep an account from being cleaned up.
    NEW_LINK: SystemQuery = "accounts.new_link", "
        UPDATE users SET email_verification_hash = ?2, email_verification_expires_at = ?3
        WHERE email = ?1 AND email_verified_at IS NULL AND disabled_at IS NULL";
    /// `?1` hash of the token, `?2` now. Single use: the hash is gone afterwards.
    VERIFY_EMAIL: CredentialQuery = "accounts.verify_email", "
        UPDATE users SET email_verified_at = ?2, email_verification_hash = NULL,
            email_verification_expires_at = NULL, updated_at = ?2
        WHERE email_verification_hash = ?1 AND email_verification_expires_at > ?2
        RETURNING id";
    /// `?1` user, `?2` new password hash, `?3` the one it replaces: nothing if another was faster.
    REHASH: SystemQuery = "accounts.rehash", "
        UPDATE users SET password_hash = ?2 WHERE id = ?1 AND password_hash = ?3";
    /// `?1` user.
    OWN: CredentialQuery = "accounts.own", "
        SELECT email, password_hash FROM users WHERE id = ?1";
    /// `?1` user, `?2` new password hash, `?3` the one it replaces, `?4` now. A link to reset the
    /// old one is dead afterwards. Where another change was faster, this fails and takes its batch with
    /// it, because NULL is no password hash: nothing is ended, recorded or mailed twice.
    CHANGE_PASSWORD: CredentialQuery = "accounts.change_password", "
        UPDATE users SET password_hash = CASE WHEN password_hash = ?3 THEN ?2 END,
            password_reset_hash = NULL, password_reset_expires_at = NULL, updated_at = ?4
        WHERE id = ?1";
    /// `?1` user, `?2` now: if their password was replaced just now. Whoever knew the one before
    /// may have asked for the change of address.
    END_EMAIL_CHANGE: CredentialQuery = "accounts.end_email_change", "
        DELETE FROM email_changes
        WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND updated_at = ?2)";
    /// `?1` address, `?2` hash of the link's token, `?3` its end. The link before dies.
    RESET_LINK: SystemQuery = "accounts.reset_link", "
        UPDATE users SET password_reset_hash = ?2, password_reset_expires_at = ?3
        WHERE email = ?1 AND disabled_at IS NULL";
    /// `?1` hash of the token, `?2` now.
    RESET_HOLDER: CredentialQuery = "accounts.reset_holder", "
        SELECT id, email FROM users WHERE password_reset_hash = ?1
            AND password_reset_expires_at > ?2 AND disabled_at IS NULL";
    /// `?1` hash of the token, `?2` now, `?3` new password hash, `?4` user. Whoever opened the link has
    /// the mailbox, so the address is confirmed too. Single use: fails as `CHANGE_PASSWORD` does.
    RESET_PASSWORD: CredentialQuery = "accounts.reset_password", "
        UPDATE users SET password_hash = CASE WHEN password_reset_hash = ?1
                AND password_reset_expires_at > ?2 AND disabled_at IS NULL THEN ?3 END,
            password_reset_hash = NULL,
            password_reset_expires_at = NULL, email_verification_hash = NULL,
            email_verification_expires_at = NULL,
            email_verified_at = COALESCE(email_verified_at, ?2), updated_at = ?2
        WHERE id = ?4";
    /// `?1` address. The newest membership is where the session starts.
    ACCOUNT: SystemQuery = "accounts.by_email", concat!("
        SELECT ", account_columns!(), "
        FROM users u
        JOIN memberships m ON m.user_id = u.id
        JOIN tenants t ON t.id = m.tenant_id
        WHERE u.email = ?1 AND t.deleted_at IS NULL
        ORDER BY m.created_at DESC, m.tenant_id LIMIT 1");
}

/// What sign-in reads of an account ([`ACCOUNT`]).
pub(super) struct Account {
    pub(super) user: String,
    pub(super) password_hash: String,
    /// Its address is confirmed.
    pub(super) verified: bool,
    pub(super) disabled: bool,
    pub(super) tenant: String,
    pub(super) role: String,
    /// When it was changed last: a password that was right then may not be so any more.
    pub(super) as_of: Millis,
}

impl Account {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            user: row.text(0)?.to_owned(),
            password_hash: row.text(1)?.to_owned(),
            verified: row.opt_int(2)?.is_some(),
            disabled: row.opt_int(3)?.is_some(),
            tenant: row.text(4)?.to_owned(),
            role: row.text(5)?.to_owned(),
            as_of: Millis(row.int(6)?),
        })
    }
}

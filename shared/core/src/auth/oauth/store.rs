//! Accounts at providers, and the users they belong to.

use crate::auth::accounts::account_columns;
use crate::auth::mfa::claimed;

crate::queries! {
    /// `?1` provider, `?2` subject there, `?3` the tenant where the session is to start, or ''. It starts
    /// in the newest membership if that is none of theirs.
    BY_IDENTITY: SystemQuery = "oauth.by_identity", concat!("
        SELECT ", account_columns!(), "
        FROM identities i
        JOIN users u ON u.id = i.user_id
        JOIN memberships m ON m.user_id = u.id
        JOIN tenants t ON t.id = m.tenant_id
        WHERE i.provider = ?1 AND i.subject = ?2 AND t.deleted_at IS NULL
        ORDER BY m.tenant_id = ?3 DESC, m.created_at DESC, m.tenant_id LIMIT 1");
    /// `?1` address, `?2` as above.
    BY_EMAIL: SystemQuery = "oauth.by_email", concat!("
        SELECT ", account_columns!(), "
        FROM users u
        JOIN memberships m ON m.user_id = u.id
        JOIN tenants t ON t.id = m.tenant_id
        WHERE u.email = ?1 AND t.deleted_at IS NULL
        ORDER BY m.tenant_id = ?2 DESC, m.created_at DESC, m.tenant_id LIMIT 1");
    /// `?1` provider, `?2` subject, `?3` user, `?4` now: only if that user exists. A subject that
    /// is linked already stays where it is.
    LINK: SystemQuery = "oauth.link", "
        INSERT INTO identities (provider, subject, user_id, created_at)
        SELECT ?1, ?2, id, ?4 FROM users WHERE id = ?3 AND disabled_at IS NULL
        ON CONFLICT (provider, subject) DO NOTHING
        RETURNING user_id";
    /// `?1` session, `?2` user, `?3` now: whether that session of theirs still lives.
    LIVES: CredentialQuery = "oauth.session_lives", "
        SELECT id FROM sessions
        WHERE id = ?1 AND user_id = ?2 AND revoked_at IS NULL AND expires_at > ?3";
    /// As [`LINK`], while `?5`, the session that asked for it, lives.
    LINK_OWN: CredentialQuery = "oauth.link_own", "
        INSERT INTO identities (provider, subject, user_id, created_at)
        SELECT ?1, ?2, u.id, CAST(?4 AS BIGINT) FROM users u JOIN sessions s ON s.user_id = u.id
        WHERE u.id = ?3 AND u.disabled_at IS NULL AND s.id = ?5 AND s.revoked_at IS NULL
            AND s.expires_at > CAST(?4 AS BIGINT)
        ON CONFLICT (provider, subject) DO NOTHING
        RETURNING user_id";
    /// `?11` subject: one that was linked in this batch.
    RECORD_LINKED: CredentialQuery = "oauth.record_linked", crate::record_where!("
        FROM identities
        WHERE provider = ?5 AND subject = ?11 AND user_id = ?3 AND created_at = ?7");
    /// `?1` id, `?2` address, `?3` password hash that no password has, `?4` now. No row comes
    /// back when the address is known.
    INSERT_VERIFIED: SystemQuery = "oauth.insert_user", "
        INSERT INTO users (id, email, password_hash, email_verified_at, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?4, ?4)
        ON CONFLICT (email) DO NOTHING
        RETURNING id";
    /// `?1` user, `?2` password hash that no password has, `?3` now. Whoever registered the
    /// address without proving it loses it to its owner, with the password they chose.
    TAKE_OVER: SystemQuery = "oauth.take_over", "
        UPDATE users SET email_verified_at = ?3, password_hash = ?2, updated_at = ?3,
            email_verification_hash = NULL, email_verification_expires_at = NULL,
            password_reset_hash = NULL, password_reset_expires_at = NULL
        WHERE id = ?1 AND email_verified_at IS NULL";
    /// `?1` user.
    LIST: CredentialQuery = "oauth.list", "
        SELECT provider, subject, created_at FROM identities WHERE user_id = ?1
        ORDER BY provider, subject LIMIT 50";
    /// `?1` user. Two that are taken off at once must not each count on the other.
    LOCK: CredentialQuery = "oauth.lock", "SELECT id FROM users WHERE id = ?1",
        postgres = "SELECT id FROM users WHERE id = ?1 FOR NO KEY UPDATE";
    /// `?11` the hash that no password has, `?12` the mark of a code that was spent, or NULL: before
    /// the provider that it names is taken off. Never the last way in.
    RECORD_UNLINKED: CredentialQuery = "oauth.record_unlinked", crate::record_where!(concat!("
        FROM users u WHERE u.id = ?3
            AND EXISTS (SELECT 1 FROM identities i WHERE i.user_id = ?3 AND i.provider = ?5)
            AND (u.password_hash <> ?11
                OR EXISTS (SELECT 1 FROM identities o WHERE o.user_id = ?3 AND o.provider <> ?5))
            AND (CAST(?12 AS TEXT) IS NULL OR ", claimed!("?3", "?12"), ")"));
    /// `?1` user, `?2` provider, `?3` the entry that must be there.
    UNLINK: CredentialQuery = "oauth.unlink", "
        DELETE FROM identities WHERE user_id = ?1 AND provider = ?2
            AND EXISTS (SELECT 1 FROM audit_log WHERE id = ?3)
        RETURNING subject";
}

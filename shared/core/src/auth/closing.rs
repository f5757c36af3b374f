//! Closing one's own account.

use serde_json::json;

use super::cookie;
use super::mfa::{Again, Given, claimed};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::port::Platform;
use crate::sql::Statement;
use crate::tenancy::TenantId;

crate::queries! {
    /// `?1` user. The lock of each of their tenants ([`crate::tenancy`]), in one order: founders
    /// who leave at once do not both count on the other, and nobody joins a tenant that ends.
    LOCK: CredentialQuery = "closing.lock", "
        SELECT id FROM tenants
        WHERE id IN (SELECT tenant_id FROM memberships WHERE user_id = ?1) ORDER BY id",
        postgres = "
        SELECT id FROM tenants
        WHERE id IN (SELECT tenant_id FROM memberships WHERE user_id = ?1) ORDER BY id
        FOR NO KEY UPDATE";
    /// `?1` user, `?2` now, `?3` the mark of a code that was spent, or NULL. What is personal goes;
    /// the id stays, because records refer to it. No row comes back for the last founder of a
    /// tenant that has other members.
    CLOSE: CredentialQuery = "closing.close", concat!("
        UPDATE users SET disabled_at = ?2, email = 'deleted:' || id, password_hash = '',
            email_verification_hash = NULL, email_verification_expires_at = NULL,
            password_reset_hash = NULL, password_reset_expires_at = NULL, updated_at = ?2
        WHERE id = ?1 AND disabled_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM memberships m WHERE m.user_id = ?1 AND m.role = 'founder'
                AND EXISTS (SELECT 1 FROM memberships o
                    WHERE o.tenant_id = m.tenant_id AND o.user_id <> ?1)
                AND NOT EXISTS (SELECT 1 FROM memberships f WHERE f.tenant_id = m.tenant_id
                    AND f.user_id <> ?1 AND f.role = 'founder'))
            AND (CAST(?3 AS TEXT) IS NULL OR ", claimed!("?1", "?3"), ")
        RETURNING id");
    /// `?1` user, `?2` now: if they were closed just now. So in all that follow.
    END_SESSIONS: CredentialQuery = "closing.end_sessions", "
        UPDATE sessions SET revoked_at = COALESCE(revoked_at, ?2),
            revoked_reason = COALESCE(revoked_reason, 'account_closed'),
            user_agent = NULL, network = NULL
        WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND disabled_at = ?2)";
    /// As before.
    REVOKE_KEYS: CredentialQuery = "closing.revoke_keys", "
        UPDATE api_keys SET revoked_at = ?2
        WHERE user_id = ?1 AND revoked_at IS NULL
            AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND disabled_at = ?2)";
    /// As before: whom they invited, they may not be allowed to invite now, as with who leaves.
    END_INVITATIONS: CredentialQuery = "closing.end_invitations", "
        UPDATE invitations SET revoked_at = ?2
        WHERE tenant_id IN (SELECT tenant_id FROM memberships WHERE user_id = ?1)
            AND invited_by = ?1 AND accepted_at IS NULL AND revoked_at IS NULL
            AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND disabled_at = ?2)";
    /// As before: tenants that have nobody else.
    CLOSE_TENANTS: CredentialQuery = "closing.close_tenants", "
        UPDATE tenants SET deleted_at = ?2, updated_at = ?2
        WHERE deleted_at IS NULL
            AND id IN (SELECT m.tenant_id FROM memberships m WHERE m.user_id = ?1
                AND NOT EXISTS (SELECT 1 FROM memberships o
                    WHERE o.tenant_id = m.tenant_id AND o.user_id <> ?1))
            AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND disabled_at = ?2)";
    /// `?1` user: where they are a member.
    MEMBERSHIPS: CredentialQuery = "closing.memberships", "
        SELECT tenant_id, role FROM memberships WHERE user_id = ?1 ORDER BY tenant_id";
    /// `?11` role: the closed user's membership, before [`LEAVE`].
    RECORD_LEFT: TenantQuery = "closing.record_left", crate::record_where!("
        FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.tenant_id = ?1 AND m.user_id = ?5 AND m.role = ?11 AND u.disabled_at = ?7");
    /// As before.
    LEAVE: CredentialQuery = "closing.leave", "
        DELETE FROM memberships
        WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND disabled_at = ?2)";
    /// As before.
    UNLINK: CredentialQuery = "closing.unlink", "
        DELETE FROM identities
        WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND disabled_at = ?2)";
    /// As before.
    FORGET_FACTORS: CredentialQuery = "closing.forget_factors", "
        DELETE FROM mfa_factors
        WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND disabled_at = ?2)";
    /// As before.
    FORGET_CODES: CredentialQuery = "closing.forget_codes", "
        DELETE FROM mfa_recovery_codes
        WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND disabled_at = ?2)";
    /// As before, with `?3` address; mails to an address that was to replace it go too.
    FORGET_MAILS: CredentialQuery = "closing.forget_mails", "
        DELETE FROM mails
        WHERE (recipient = ?3 OR subject_id = ?1
                AND recipient = (SELECT email FROM email_changes WHERE user_id = ?1))
            AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND disabled_at = ?2)";
    /// As before.
    FORGET_CHANGE: CredentialQuery = "closing.forget_change", "
        DELETE FROM email_changes
        WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND disabled_at = ?2)";
    /// As before, with the parameters of every record.
    RECORD: TenantQuery = "closing.record",
        crate::record_where!("FROM users WHERE id = ?3 AND disabled_at = ?7");
}

/// Closes the caller's account: sessions and keys end, and what is personal is removed. The last
/// founder of a tenant with other members is refused: somebody must be able to run it.
pub(super) async fn close<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse_or_empty(cx.request.body)?;
    let given = Given::read(&mut fields)?;
    fields.finish()?;

    let own = Again::demand(cx, &given).await?;
    let user = own.actor.user.as_str();
    let bound = || [user.into(), cx.now.into()];
    let entry = Entry::by(&own.actor, "auth.account_closed", user);
    let record = entry.record(cx, &RECORD, &own.actor.tenant)?;
    // The locks of tenants come first everywhere.
    let mut writes = vec![LOCK.bind([user.into()])];
    writes.extend(own.spend(cx, &record.id));
    let closed = writes.len();
    writes.extend([
        CLOSE.bind([user.into(), cx.now.into(), own.mark(&record.id)]),
        END_SESSIONS.bind(bound()),
        REVOKE_KEYS.bind(bound()),
        END_INVITATIONS.bind(bound()),
        CLOSE_TENANTS.bind(bound()),
    ]);
    writes.extend(records_of_leaving(cx, user).await?);
    writes.extend([
        LEAVE.bind(bound()),
        UNLINK.bind(bound()),
        FORGET_FACTORS.bind(bound()),
        FORGET_CODES.bind(bound()),
        FORGET_MAILS.bind([user.into(), cx.now.into(), own.email.as_str().into()]),
        FORGET_CHANGE.bind(bound()),
        record.statement,
    ]);
    let rows = cx.batch(&writes).await?;
    let (before, rows) = rows.split_at_checked(closed).unwrap_or_default();
    own.spent(before)?;
    if rows.first().is_none_or(Vec::is_empty) {
        let message = "You are the last founder of an organization with other members; make \
                       somebody else a founder first.";
        return Err(Error::new(Code::StateConflict).with_message(message).into());
    }
    Ok(cookie::clear(Reply::ok(&json!({"status": "closed"}))))
}

/// One entry for each tenant that the user leaves by closing their account, in that tenant's log.
async fn records_of_leaving<P: Platform>(
    cx: &Context<'_, P>,
    user: &str,
) -> Result<Vec<Statement>, Error> {
    let rows = cx.query(MEMBERSHIPS.bind([user.into()])).await?;
    let recorded = rows.iter().map(|row| {
        let (tenant, role) = (TenantId::proven(row.text(0)?), row.text(1)?);
        let entry = Entry {
            tenant: Some(tenant.as_str()),
            actor: user,
            action: "member.leave",
            target: user,
        };
        let left = json!({"before": {"role": role}, "after": null});
        let record = entry.record_change(cx, &RECORD_LEFT, &tenant, Some(&left))?;
        let mut statement = record.statement;
        statement.params.push(role.into());
        Ok(statement)
    });
    recorded.collect()
}

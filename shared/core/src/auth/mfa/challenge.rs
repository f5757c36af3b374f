//! Sign-in in two steps: a right password of somebody with a second factor gives no tokens but a
//! pre-token, and that one with a code gives the tokens.

use serde_json::json;

use super::answer::{Answer, judge};
use super::store::{
    CHALLENGE, INSERT_CHALLENGE, INSERT_SESSION, Kind, RECORD_SESSION, SPEND_CHALLENGE,
};
use crate::audit::Entry;
use crate::auth::cookie;
use crate::auth::session::{Keep, SignIn, hand_out, session_values};
use crate::auth::token::TokenKeys;
use crate::fields::Fields;
use crate::guard::lockout::MFA;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::id::is_id;
use crate::port::Platform;
use crate::sql::{Row, Statement};
use crate::tenancy::TenantId;
use crate::time::{MINUTE, Millis, SECOND};

/// How long the second step may take.
const LIFE: i64 = 5 * MINUTE;

/// The pre-token: a signed name of one sign-in. The row behind it is spent once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) id: String,
    pub(super) user: String,
    expires_at: Millis,
    keep: Keep,
}

impl Ticket {
    fn seal(&self, keys: &TokenKeys) -> String {
        let keep = match self.keep {
            Keep::Body => 'b',
            Keep::Cookies => 'c',
        };
        let value = format!("{}~{}~{}~{keep}", self.id, self.user, self.expires_at.0);
        cookie::sign(keys, "mfa", &value)
    }

    /// # Errors
    /// `TOKEN_INVALID` for any text that we did not sign, or whose time is over.
    pub(super) fn open(keys: &TokenKeys, text: &str, now: Millis) -> Result<Self, Error> {
        let read = || {
            let mut parts = cookie::open(keys, "mfa", text)?.split('~');
            let (id, user) = (parts.next()?, parts.next()?);
            let expires_at = Millis(parts.next()?.parse().ok()?);
            let keep = match parts.next()? {
                "b" => Keep::Body,
                "c" => Keep::Cookies,
                _ => return None,
            };
            (is_id("mfc", id) && expires_at > now).then(|| Self {
                id: id.to_owned(),
                user: user.to_owned(),
                expires_at,
                keep,
            })
        };
        read().ok_or_else(|| Error::new(Code::TokenInvalid))
    }
}

/// Answers a sign-in whose first factor was right with the question for the second. `also` is
/// written in the same batch.
///
/// # Errors
/// `INTERNAL` when the user is not as they were at `as_of` any more: look again.
pub(in crate::auth) async fn ask<P: Platform>(
    cx: &Context<'_, P>,
    who: &SignIn<'_>,
    kinds: &[Kind],
    as_of: Millis,
    also: Vec<Statement>,
) -> Result<Reply, Error> {
    let ticket = Ticket {
        id: cx.new_id("mfc")?,
        user: who.user.to_owned(),
        expires_at: cx.now.plus(LIFE),
        keep: who.keep,
    };
    let mut writes = also;
    writes.push(INSERT_CHALLENGE.bind(
        &TenantId::proven(who.tenant),
        [
            ticket.id.as_str().into(),
            who.user.into(),
            who.amr.into(),
            cx.now.into(),
            ticket.expires_at.into(),
            as_of.into(),
        ],
    ));
    cx.batch(&writes).await?;
    cx.attempt_was("mfa_required");
    let methods = kinds.iter().map(|kind| kind.name());
    let token = ticket.seal(&cx.ready()?.keys);
    let seconds = LIFE.div_euclid(SECOND);
    let reply = Reply::ok(&json!({
        "mfa_required": true,
        "mfa_token": token,
        "methods": methods.chain(["recovery_code"]).collect::<Vec<_>>(),
        "expires_in": seconds,
    }));
    Ok(match ticket.keep {
        Keep::Body => reply,
        // A browser that comes back from another provider reads no body.
        Keep::Cookies => cookie::set_mfa(reply, &token, seconds),
    })
}

/// A sign-in that waits for its second step ([`CHALLENGE`]).
pub(super) struct Waiting {
    pub(super) tenant: String,
    pub(super) role: String,
    amr: String,
    pub(super) email: String,
}

impl Waiting {
    /// # Errors
    /// `TOKEN_INVALID` when it was spent, is over, or its user may not sign in any more.
    pub(super) fn from_rows(rows: Option<&Vec<Row>>) -> Result<Self, Error> {
        let row = rows.and_then(|rows| rows.first());
        let row = row.ok_or_else(|| Error::new(Code::TokenInvalid))?;
        Ok(Self {
            tenant: row.text(0)?.to_owned(),
            role: row.text(1)?.to_owned(),
            amr: row.text(2)?.to_owned(),
            email: row.text(3)?.to_owned(),
        })
    }
}

/// The pre-token of the body, or else of the cookie.
pub(super) fn token<P: Platform>(
    cx: &Context<'_, P>,
    fields: &mut Fields,
) -> Result<String, Error> {
    let given = fields.opt_text("mfa_token", 1, 300)?;
    given
        .or_else(|| cookie::read(cx.request.headers, cookie::MFA))
        .ok_or_else(|| Error::invalid("mfa_token", "Is required."))
}

/// Exchanges a pre-token and a code for the tokens of a session.
pub(in crate::auth) async fn verify<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let token = token(cx, &mut fields)?;
    let answer = Answer::read(&mut fields)?;
    fields.finish()?;
    let answer = answer.ok_or_else(|| Error::invalid("code", "Is required."))?;
    let ticket = Ticket::open(&cx.ready()?.keys, &token, cx.now)?;
    let user = ticket.user.as_str();

    let mut reads = answer.statements(user, cx.now);
    reads.push(CHALLENGE.bind([ticket.id.as_str().into(), user.into(), cx.now.into()]));
    let rows = cx.batch(&reads).await?;
    let attempt = judge(&rows, cx.now)?;
    let waiting = Waiting::from_rows(rows.last())?;
    let Some(proof) = attempt.proof(cx, user, &answer)? else {
        let wrong = Error::new(Code::MfaCodeInvalid);
        return Err(attempt
            .failed(cx, user, &waiting.tenant, wrong)
            .await?
            .into());
    };

    let session = cx.new_id("ses")?;
    let who = SignIn {
        user,
        tenant: &waiting.tenant,
        role: &waiting.role,
        amr: &format!("{} otp", waiting.amr),
        keep: ticket.keep,
    };
    let tenant = TenantId::proven(who.tenant);
    let action = match answer {
        Answer::Code(_) => "auth.mfa_login",
        Answer::Recovery(_) => "auth.mfa_recovery_used",
    };
    let entry = Entry {
        tenant: Some(who.tenant),
        actor: user,
        action,
        target: &session,
    };
    let mut writes = Vec::from(MFA.forgive(user, user));
    writes.extend([
        proof.claim(user, &session, cx.now),
        SPEND_CHALLENGE.bind([
            ticket.id.as_str().into(),
            session.as_str().into(),
            cx.now.into(),
        ]),
        INSERT_SESSION.bind(&tenant, session_values(cx, &who, &session)?),
        entry.record(cx, &RECORD_SESSION, &tenant)?.statement,
    ]);
    let rows = cx.batch(&writes).await?;
    if rows.iter().nth_back(1).is_none_or(Vec::is_empty) {
        // A parallel request spent the code or the pre-token.
        return Err(Error::new(Code::MfaCodeInvalid).into());
    }
    Ok(hand_out(cx, &who, &session)?)
}

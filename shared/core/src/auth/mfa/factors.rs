//! Setting a factor up: start, confirm, and what is on.

use serde_json::json;

use super::answer::{Answer, Proof, by_factor, judge};
use super::email;
use super::fresh::{self, Given};
use super::recovery;
use super::seal::{NONCE, seal};
use super::store::{
    CODES_LEFT, DELETE_CODES, FACTORS, Factor, INSERT_CODES, Kind, OWNER, Owner, RAISE, RECORD,
    SET_UP, TURN_ON,
};
use super::totp;
use crate::audit::{Entry, Record};
use crate::fields::Fields;
use crate::guard::lockout::MFA;
use crate::http::{Actor, Code, Context, Error, Guarded, Interrupt, Reply};
use crate::mail;
use crate::port::Platform;
use crate::sql::{Row, Value};

/// The caller, their session and their factors.
pub(super) struct Own {
    pub(super) actor: Actor,
    pub(super) owner: Owner,
    pub(super) factors: Vec<Factor>,
    pub(super) rest: Vec<Vec<Row>>,
}

impl Own {
    pub(super) async fn load<P: Platform>(cx: &Context<'_, P>) -> Result<Self, Interrupt> {
        let (user, session): (Value, Value) = match cx.credential() {
            crate::guard::identity::Credential::Member(claims) => {
                (claims.user.as_str().into(), claims.session.as_str().into())
            }
            _ => return Err(Error::new(Code::AuthRequired).into()),
        };
        let (actor, mut rows) = cx
            .load(|_| {
                vec![
                    OWNER.bind([user.clone(), session]),
                    FACTORS.bind([user.clone()]),
                    CODES_LEFT.bind([user]),
                ]
            })
            .await?;
        let rest = rows.split_off(2.min(rows.len()));
        let owner = Owner::from_rows(rows.first().map_or(&[], Vec::as_slice))?;
        let factors = Factor::all(rows.get(1).map_or(&[], Vec::as_slice))?;
        Ok(Self {
            actor,
            owner,
            factors,
            rest,
        })
    }

    pub(super) fn enabled(&self) -> bool {
        self.factors.iter().any(|factor| factor.enabled)
    }

    /// An entry about the user's own factors, whose id is the mark of a claim.
    pub(super) fn record<P: Platform>(
        &self,
        cx: &Context<'_, P>,
        action: &'static str,
    ) -> Result<Record, Error> {
        let entry = Entry::by(&self.actor, action, &self.actor.user);
        entry.record(cx, &RECORD, &self.actor.tenant)
    }
}

/// Which factor the field `method` names: `totp` (the default) or `email`.
fn method(fields: &mut Fields) -> Result<Kind, Error> {
    match fields.opt_text("method", 1, 20)? {
        None => Ok(Kind::Totp),
        Some(name) => {
            Kind::parse(&name).ok_or_else(|| Error::invalid("method", "Must be totp or email."))
        }
    }
}

/// Makes a secret that does nothing until a code confirms it, or mails a code.
pub(in crate::auth) async fn start<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse_or_empty(cx.request.body)?;
    let kind = method(&mut fields)?;
    let given = Given::read(&mut fields)?;
    fields.finish()?;
    let own = Own::load(cx).await?;
    if own
        .factors
        .iter()
        .any(|factor| factor.enabled && factor.kind == kind)
    {
        return Err(already_on().into());
    }
    // A second factor beside the first needs the first, or it would be a way around it.
    if own.enabled() {
        let proof = fresh::second(cx, &own.actor, &own.owner, &given).await?;
        fresh::spend(cx, &own.actor, &proof).await?;
    } else {
        fresh::first(cx, &own.actor, &own.owner, &given).await?;
    }
    let record = own.record(cx, "auth.mfa_started")?;
    let user = own.actor.user.as_str();
    let mut mailed = None;
    let (secret, expires_at, rest, shown) = match kind {
        Kind::Totp => {
            let secret: [u8; totp::SECRET] = cx.random()?;
            let nonce: [u8; NONCE] = cx.random()?;
            let ready = cx.ready()?;
            let readable = totp::base32(&secret);
            let uri = totp::uri(&ready.config.issuer, &own.owner.email, &readable);
            let shown = json!({"method": "totp", "secret": readable, "otpauthUri": uri});
            let sealed = seal(&ready.keys.mfa, user, &secret, nonce)?;
            (sealed, None, Vec::new(), shown)
        }
        Kind::Email => {
            let code = email::draw(cx, user, &own.owner.email).await?;
            let shown = json!({"method": "email", "expires_in": email::LIFE_SECONDS});
            mailed = Some(code.mail_id);
            (code.hash, Some(code.expires_at), vec![code.mail], shown)
        }
    };
    let change = SET_UP.bind([
        user.into(),
        kind.name().into(),
        secret.into(),
        expires_at.into(),
        record.id.as_str().into(),
        cx.now.into(),
    ]);
    let guarded = Guarded {
        lock: None,
        change,
        record,
        rest,
    };
    let reply = Reply::ok(&shown);
    let done = cx
        .commit_guarded(&own.actor, guarded, reply.clone(), &reply)
        .await?;
    let done = done.ok_or_else(already_on)?;
    if let Some(id) = mailed {
        mail::soon(cx, &id);
    }
    Ok(done)
}

fn already_on() -> Error {
    Error::new(Code::StateConflict).with_message("This factor is on already.")
}

/// Turns a factor on by its first right code. The first factor comes with recovery codes, shown
/// this one time, and the session that proved it counts as proven by it.
pub(in crate::auth) async fn confirm<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let kind = method(&mut fields)?;
    let code = fields.text("code", 1, 20)?.replace([' ', '-'], "");
    fields.finish()?;
    let own = Own::load(cx).await?;
    let pending = |factor: &&Factor| factor.kind == kind && !factor.enabled;
    if !own.factors.iter().any(|factor| pending(&factor)) {
        let nothing = "There is nothing to confirm; start first.";
        return Err(Error::new(Code::StateConflict).with_message(nothing).into());
    }
    let user = own.actor.user.as_str();
    let answer = Answer::Code(code.clone());
    let rows = cx.batch(&answer.statements(user, cx.now)).await?;
    let attempt = judge(&rows, cx.now)?;
    let factors = attempt.factors()?;
    let factor = factors.iter().find(pending).ok_or_else(already_on)?;
    let proof = by_factor(cx.ready()?, user, factor, &code, cx.now, cx.random()?)?;
    let step = match proof {
        Some(Proof::Totp { step, .. }) => step,
        Some(_) => 0,
        None => {
            let wrong = Error::invalid("code", "This code is not right.");
            let tenant = own.actor.tenant.as_str();
            return Err(attempt.failed(cx, user, tenant, wrong).await?.into());
        }
    };

    let record = own.record(cx, "auth.mfa_enabled")?;
    let mark = record.id.clone();
    let mut writes = Vec::from(MFA.forgive(user, user));
    let change = writes.len();
    writes.extend([
        TURN_ON.bind([
            user.into(),
            kind.name().into(),
            factor.secret.as_deref().into(),
            step.into(),
            mark.as_str().into(),
            cx.now.into(),
        ]),
        record.statement,
    ]);
    let mut codes = Vec::new();
    if !own.enabled() {
        codes = recovery::draw(cx)?;
        writes.push(DELETE_CODES.bind([user.into(), mark.as_str().into()]));
        writes.push(INSERT_CODES.bind([
            user.into(),
            recovery::hashes(user, &codes).into(),
            mark.as_str().into(),
            cx.now.into(),
        ]));
    }
    if !own.owner.amr.contains(' ') {
        let session = own.actor.session.as_deref().unwrap_or_default();
        let amr = format!("{} otp", own.owner.amr);
        writes.push(RAISE.bind([session.into(), amr.into(), mark.into()]));
    }
    let rows = cx.batch(&writes).await?;
    if rows.get(change).is_none_or(Vec::is_empty) {
        return Err(already_on().into());
    }
    Ok(Reply::ok(&json!({
        "status": "enabled",
        "method": kind.name(),
        "recoveryCodes": codes,
    })))
}

/// What is on, what waits for its first code, and how many recovery codes are left.
pub(in crate::auth) async fn status<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let own = Own::load(cx).await?;
    let left = own.rest.first().and_then(|rows| rows.first());
    let left = left.map(|row| row.int(0)).transpose()?.unwrap_or(0);
    let names = |enabled: bool| {
        let those = own.factors.iter().filter(|f| f.enabled == enabled);
        those.map(|factor| factor.kind.name()).collect::<Vec<_>>()
    };
    Ok(Reply::ok(&json!({
        "status": if own.enabled() { "enabled" } else { "disabled" },
        "enabled": own.enabled(),
        "methods": names(true),
        "pending": names(false),
        "recoveryCodesLeft": left,
    })))
}

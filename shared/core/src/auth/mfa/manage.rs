//! Turning factors off and drawing new recovery codes: only with fresh proof of both factors.

use serde_json::json;

use super::factors::Own;
use super::fresh::{self, Given};
use super::recovery;
use super::store::{DELETE_CODES, DROP_CODES, INSERT_CODES, Kind, LOWER, TURN_OFF};
use crate::audit::Record;
use crate::fields::Fields;
use crate::guard::lockout::MFA;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::port::Platform;
use crate::sql::Statement;

/// Turns a factor off, or all. Without the last one every session counts as proven by one factor,
/// from the next request on; what access tokens say to others ends with them.
pub(in crate::auth) async fn disable<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse_or_empty(cx.request.body)?;
    let method = fields.opt_text("method", 1, 20)?;
    let given = Given::read(&mut fields)?;
    fields.finish()?;
    let kind = match method.as_deref() {
        None | Some("all") => None,
        Some(name) => Some(
            Kind::parse(name)
                .ok_or_else(|| Error::invalid("method", "Must be totp, email or all."))?,
        ),
    };
    let own = enabled(cx).await?;
    let on = |factor: &super::store::Factor| {
        factor.enabled && kind.is_none_or(|kind| kind == factor.kind)
    };
    if !own.factors.iter().any(on) {
        return Err(off().into());
    }
    let user = own.actor.user.as_str();
    let record = own.record(cx, "auth.mfa_disabled")?;
    let mark = record.id.clone();
    let rest = [
        TURN_OFF.bind([
            user.into(),
            kind.map(Kind::name).into(),
            mark.as_str().into(),
        ]),
        DROP_CODES.bind([user.into(), mark.as_str().into()]),
        LOWER.bind([user.into(), mark.into()]),
    ];
    let rows = spend(cx, &own, &given, record, rest).await?;
    if rows.first().is_none_or(Vec::is_empty) {
        return Err(Error::new(Code::MfaCodeInvalid).into());
    }
    Ok(Reply::ok(&json!({"status": "disabled"})))
}

/// Draws new recovery codes, shown this one time; the old ones work no more.
pub(in crate::auth) async fn regenerate<P: Platform>(
    cx: &Context<'_, P>,
) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse_or_empty(cx.request.body)?;
    let given = Given::read(&mut fields)?;
    fields.finish()?;
    let own = enabled(cx).await?;
    let user = own.actor.user.as_str();
    let codes = recovery::draw(cx)?;
    let record = own.record(cx, "auth.mfa_recovery_regenerated")?;
    let mark = record.id.clone();
    let rest = [
        DELETE_CODES.bind([user.into(), mark.as_str().into()]),
        INSERT_CODES.bind([
            user.into(),
            recovery::hashes(user, &codes).into(),
            mark.into(),
            cx.now.into(),
        ]),
    ];
    let rows = spend(cx, &own, &given, record, rest).await?;
    if rows.last().is_none_or(Vec::is_empty) {
        return Err(Error::new(Code::MfaCodeInvalid).into());
    }
    Ok(Reply::ok(&json!({"recoveryCodes": codes})))
}

/// The caller, who has a second factor.
///
/// # Errors
/// `STATE_CONFLICT` where there is none.
async fn enabled<P: Platform>(cx: &Context<'_, P>) -> Result<Own, Interrupt> {
    let own = Own::load(cx).await?;
    if own.enabled() {
        Ok(own)
    } else {
        Err(off().into())
    }
}

fn off() -> Error {
    Error::new(Code::StateConflict).with_message("This factor is not on.")
}

/// Demands fresh proof and spends it together with what it is for, in this order: lockout,
/// claim, entry, `rest`, whose rows come back.
async fn spend<P: Platform, const N: usize>(
    cx: &Context<'_, P>,
    own: &Own,
    given: &Given,
    record: Record,
    rest: [Statement; N],
) -> Result<Vec<Vec<crate::sql::Row>>, Error> {
    let proof = fresh::second(cx, &own.actor, &own.owner, given).await?;
    let user = own.actor.user.as_str();
    let mut writes = Vec::from(MFA.forgive(user, user));
    writes.extend([proof.claim(user, &record.id, cx.now), record.statement]);
    let before = writes.len();
    writes.extend(rest);
    let mut rows = cx.batch(&writes).await?;
    Ok(rows.split_off(before.min(rows.len())))
}

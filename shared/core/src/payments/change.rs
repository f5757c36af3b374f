//! Changing payments by hand: their metadata, and the steps that no event tells of.

use serde_json::json;

use super::create::METADATA;
use super::machine::{Move, is_legal};
use super::model::Payment;
use super::read::{one, shown};
use super::store::{GET, RECORD_MOVED, RECORD_UPDATED, UPDATE};
use crate::audit::Entry;
use crate::fields::Fields;
use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Actor, Code, Context, Error, Expected, Guarded, Interrupt, Reply};
use crate::metrics;
use crate::port::{DatabaseError, Platform};
use crate::sql::MAX_INTEGER;

/// `PATCH /api/v1/payments/:id`: other metadata. The request says which version it is for.
pub(super) async fn update<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let version = fields.opt_int("version", 1, MAX_INTEGER)?;
    let (bytes, depth) = METADATA;
    let metadata = fields
        .opt_free_object("metadata", bytes, depth)?
        .ok_or_else(|| Error::invalid("metadata", "Is required."))?;
    fields.finish()?;
    let expected = Expected::read(&cx.request, version)?;
    let (actor, payment, _) = one(cx).await?;
    allow(&actor, Action::Change, Resource::Payment(&payment.user))?;
    expected.required()?;
    expected.check(payment.known.version)?;
    let id = payment.known.id.as_str();
    let entry = Entry::by(&actor, "payment.update", id);
    let mut record = entry.record(cx, &RECORD_UPDATED, &actor.tenant)?;
    let after = payment.known.version.saturating_add(1);
    record.statement.params.push(after.into());
    let update = UPDATE.bind(
        &actor.tenant,
        [
            id.into(),
            payment.known.version.into(),
            metadata.to_string().into(),
            cx.now.into(),
        ],
    );
    let rows = cx.batch(&[update, record.statement]).await?;
    match Payment::first(rows.first().map_or(&[][..], Vec::as_slice))? {
        Some(changed) => Ok(shown(200, &changed.show()?, changed.known.version)),
        // Whatever it is now, it is not what the request was for.
        None => Err(expected.overtaken(after).into()),
    }
}

/// `POST /api/v1/payments/:id/confirm` and `…/complete`.
pub(super) async fn advance<P: Platform>(
    cx: &Context<'_, P>,
    to: &'static str,
    act: &'static str,
) -> Result<Reply, Interrupt> {
    nothing_in(cx)?;
    let (actor, payment, _) = one(cx).await?;
    if !is_legal(&payment.known.status, to) {
        return Err(refused(&payment.known.status, to).into());
    }
    let change = Move {
        to,
        cause: &cx.ids.request_id,
        ..Move::default()
    };
    match commit(cx, &actor, &payment, &change, act).await? {
        Some(reply) => Ok(reply),
        None => Err(refused(&again(cx, &payment).await?.known.status, to).into()),
    }
}

/// A body may be empty or an empty object.
pub(super) fn nothing_in<P: Platform>(cx: &Context<'_, P>) -> Result<(), Error> {
    Fields::parse_or_empty(cx.request.body)?.finish()
}

/// The error for a change that there is not.
pub(super) fn refused(from: &str, to: &str) -> Error {
    let why = format!("The payment is {from}, from where it cannot become {to}.");
    Error::new(Code::StateConflict).with_message(why)
}

/// The payment as it is now.
pub(super) async fn again<P: Platform>(
    cx: &Context<'_, P>,
    payment: &Payment,
) -> Result<Payment, Error> {
    let read = GET.bind(&payment.known.tenant, [payment.known.id.as_str().into()]);
    let payment = Payment::first(&cx.query(read).await?)?;
    payment.ok_or_else(|| DatabaseError::Shape("no payment".to_owned()).into())
}

/// Changes the state of `payment` with everything that belongs to it. `None` where the state, or the
/// version that the change is for, is another one by now: nothing was written then.
pub(super) async fn commit<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    payment: &Payment,
    change: &Move<'_>,
    act: &'static str,
) -> Result<Option<Reply>, Interrupt> {
    let written = change.write(cx, &payment.known)?;
    let entry = Entry::by(actor, act, &payment.known.id);
    let told = json!({"before": {"status": payment.known.status}, "after": {"status": change.to}});
    let mut record = entry.record_change(cx, &RECORD_MOVED, &actor.tenant, Some(&told))?;
    record.statement.params.push(written.transition.into());
    let mut after = payment
        .clone()
        .moved(change.to, change.refund.is_some(), cx.now);
    if let Some(intent) = change.intent {
        after = after.with_intent(intent, None);
    }
    let reply = shown(200, &after.show()?, after.known.version);
    let guarded = Guarded {
        lock: None,
        change: written.change,
        record,
        rest: written.rest,
    };
    let kept = reply.clone();
    let done = cx.commit_guarded(actor, guarded, reply, &kept).await?;
    if done.is_some() {
        cx.count(metrics::payments(change.to));
    }
    Ok(done)
}

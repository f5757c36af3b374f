//! Cancelling: what was not paid cannot be paid any more, and what was paid goes back.

use super::change::{again, commit, nothing_in, refused};
use super::machine::{CANCELLED, COMPLETED, CONFIRMED, Move};
use super::model::Known;
use super::read::{one, shown};
use super::settle::{give_back, intent};
use crate::audit::Entry;
use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::port::Platform;
use crate::stripe::{client, payment};
use crate::tenancy::Permission;
use crate::time::HOUR;

/// How often it begins anew because Stripe's events were faster.
const ATTEMPTS: usize = 3;

/// `DELETE /api/v1/payments/:id`. Stripe first: a payment that is cancelled here must not be left to be
/// paid there, and the repetition of what Stripe has done changes nothing there.
pub(super) async fn cancel<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    nothing_in(cx)?;
    let (actor, mut payment, _) = one(cx).await?;
    allow(&actor, Action::Change, Resource::Payment(&payment.user))?;
    let delivered = [CONFIRMED, COMPLETED].contains(&payment.known.status.as_str());
    if delivered && !actor.permissions.hold(Permission::PaymentsAll) {
        let why = "What was granted already is given back by somebody with payments:all.";
        return Err(Error::new(Code::Forbidden).with_message(why).into());
    }
    if payment.known.status == CANCELLED {
        return Err(refused(CANCELLED, CANCELLED).into());
    }
    for _ in 0..ATTEMPTS {
        let undone = undo(cx, &payment.known).await?;
        let change = Move {
            to: CANCELLED,
            cause: &cx.ids.request_id,
            version: Some(payment.known.version),
            intent: undone.intent.as_deref(),
            refund: undone.refund.as_deref(),
            next_check: undone.open.then(|| cx.now.plus(HOUR)),
            ..Move::default()
        };
        if let Some(reply) = commit(cx, &actor, &payment, &change, "payment.cancel").await? {
            return Ok(reply);
        }
        payment = again(cx, &payment).await?;
        // Stripe has told of what it did for us.
        if payment.known.status == CANCELLED {
            let reply = shown(200, &payment.show()?, payment.known.version);
            let entry = Entry::by(&actor, "payment.cancel", &payment.known.id);
            return cx.commit(&actor, vec![entry.append(cx)?], reply).await;
        }
    }
    let busy = "The payment changes all the time.";
    Err(Error::new(Code::Unavailable)
        .with_message(busy)
        .with_retry_after(1)
        .into())
}

/// What was done at Stripe.
struct Undone {
    intent: Option<String>,
    refund: Option<String>,
    /// Whether it may still be paid: a bank works on it, and nobody can stop that. It is given back then.
    open: bool,
}

async fn undo<P: Platform>(cx: &Context<'_, P>, payment: &Known) -> Result<Undone, Error> {
    let mut undone = Undone {
        intent: payment.intent.clone(),
        refund: None,
        open: false,
    };
    let mut paid = payment.is_paid();
    if !paid {
        let mut now = intent(cx, payment).await?;
        if !["canceled", "succeeded"].contains(&now.status.as_str()) {
            let key = client::key(payment.tenant.as_str(), "cancel", &payment.id);
            now = match payment::cancel(cx, &now.id, key).await {
                Err(error) if error.code() == Code::UpstreamRefused => {
                    payment::retrieve(cx, &now.id).await?
                }
                done => done?,
            };
        }
        paid = now.status == "succeeded";
        undone.open = !paid && now.status != "canceled";
        undone.intent = Some(now.id);
    }
    if paid && payment.refunded_at.is_none() {
        let intent = undone.intent.as_deref().unwrap_or_default();
        undone.refund = Some(give_back(cx, payment, intent).await?);
    }
    Ok(undone)
}

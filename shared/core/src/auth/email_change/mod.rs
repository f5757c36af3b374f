//! Changing the address of an account: both the old and the new one must agree (OWASP
//! Authentication Cheat Sheet, "Change a user's registered email address").
//!
//! A stolen password alone does not move an account, and a typing mistake does not lock its owner
//! out. Links lead to the front end and only its POST confirms: scanners that open every link
//! in a mailbox would otherwise agree for its owner.

mod store;

use serde_json::json;

use super::link::Link;
use super::mfa::{Again, Given};
use super::recovery::notice;
use super::register::email;
use crate::audit::Entry;
use crate::crypto::fingerprint;
use crate::fields::Fields;
use crate::guard::exact_limit::{EMAIL_CHANGE_RECIPIENT, EMAIL_CHANGE_USER};
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::mail::{self, Template};
use crate::port::Platform;
use crate::sql::{Row, Statement};
use crate::time::DAY;
use store::{
    ASK, CHANGE, CONFIRM, DROP_CODE, END_SESSIONS, EVICT, FORGET, HOLDER, Holder, LOCK,
    RECORD_ASKED, RECORD_CHANGED, RECORD_CONFIRMED,
};

pub(super) use store::QUERIES;

/// How long the links work.
const LINK_LIFE: i64 = DAY;

/// Sends a link to the old and one to the new address. Who has the new address is not told: an
/// owner of an account gets a mail instead of the link, and the answer is the same.
pub(super) async fn ask<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let wanted = email(&mut fields)?;
    let given = Given::read(&mut fields)?;
    fields.finish()?;

    let own = Again::demand(cx, &given).await?;
    if own.email == wanted {
        let forgive = own.forgive(cx);
        if !forgive.is_empty() {
            cx.batch(&forgive).await?;
        }
        return Err(Error::invalid("email", "This is your address already.").into());
    }
    let user = own.actor.user.as_str();
    let to_old = Link::new(cx, Template::EmailChangeOld, user)?;
    let to_new = Link::new(cx, Template::EmailChangeNew, user)?;
    let entry = Entry::by(&own.actor, "auth.email_change_requested", user);
    let mut record = entry.record(cx, &RECORD_ASKED, &own.actor.tenant)?;
    record.statement.params.push(to_old.hash.as_str().into());
    let recorded = record.id.as_str();
    let mails = (to_old.mail(cx, &own.email)?, to_new.mail(cx, &wanted)?);
    let taken = notice(cx, Template::EmailChangeTaken, user, &wanted)?;

    let mut writes = vec![
        LOCK.bind([user.into()]),
        EMAIL_CHANGE_USER.hit(user, cx.now),
        EMAIL_CHANGE_RECIPIENT.hit_after(&wanted, &EMAIL_CHANGE_USER, user, cx.now),
    ];
    writes.extend(own.spend(cx, recorded));
    let asked = writes.len();
    writes.extend([
        put(cx, &own, &wanted, [&to_old.hash, &to_new.hash], recorded),
        record.statement.clone(),
        mails.0.drop_if_recorded(recorded),
        mails.0.queue_if_recorded(recorded, cx.now),
        mails.1.drop_if_recorded(recorded),
        mails.1.queue_if_free(recorded, cx.now),
        taken.queue_if_taken(recorded, cx.now),
    ]);
    let rows = cx.batch(&writes).await?;
    let (before, rows) = rows.split_at_checked(asked).unwrap_or_default();
    let counted = |index: usize| before.get(index).map_or(&[][..], Vec::as_slice);
    EMAIL_CHANGE_USER.judge(counted(1), cx.now)?;
    EMAIL_CHANGE_RECIPIENT.judge(counted(2), cx.now)?;
    own.spent(before)?;
    if rows.first().is_none_or(Vec::is_empty) {
        return Err(Error::new(Code::SessionEnded).into());
    }
    mail::soon(cx, &mails.0.id);
    for (index, mail) in [(5, &mails.1), (6, &taken)] {
        if rows.get(index).is_some_and(|rows| !rows.is_empty()) {
            mail::soon(cx, &mail.id);
        }
    }
    Ok(Reply::json(
        202,
        &json!({
            "status": "pending",
            "message": "Open the link in the mail to your address, and the one in the mail to the new \
                        one. The address changes when both are confirmed.",
        }),
    ))
}

/// The statement that makes the request the one that counts.
fn put<P: Platform>(
    cx: &Context<'_, P>,
    own: &Again,
    wanted: &str,
    [old, new]: [&str; 2],
    mark: &str,
) -> Statement {
    let user = own.actor.user.as_str();
    let (by_user, user_hits) = EMAIL_CHANGE_USER.bound(user);
    let (by_recipient, recipient_hits) = EMAIL_CHANGE_RECIPIENT.bound(wanted);
    ASK.bind([
        user.into(),
        wanted.into(),
        old.into(),
        new.into(),
        cx.now.into(),
        cx.now.plus(LINK_LIFE).into(),
        own.actor.session.as_deref().into(),
        own.mark(mark),
        by_user.into(),
        user_hits.into(),
        by_recipient.into(),
        recipient_hits.into(),
    ])
}

/// Agrees for one of the two addresses, by the link it was sent. The second to agree changes the
/// address; every session ends but the one that asked.
pub(super) async fn confirm<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let token = fingerprint(&fields.text("token", 1, 200)?);
    fields.finish()?;
    let rows = cx
        .query(HOLDER.bind([token.as_str().into(), cx.now.into()]))
        .await?;
    let holder = rows.first().ok_or_else(spent)?;
    let holder = Holder::from_row(holder)?;
    let outcome = match agree(cx, &holder, &token).await {
        // Somebody registered the address in this very moment: the second look finds them.
        Err(error) if error.code() == Code::Internal => agree(cx, &holder, &token).await,
        outcome => outcome,
    };
    Ok(outcome?)
}

async fn agree<P: Platform>(
    cx: &Context<'_, P>,
    holder: &Holder,
    token: &str,
) -> Result<Reply, Error> {
    let user = holder.user.as_str();
    let entry = |action| Entry {
        tenant: holder.tenant.as_deref(),
        actor: user,
        action,
        target: user,
    };
    let mut confirmed = entry("auth.email_change_confirmed").record_own(cx, &RECORD_CONFIRMED)?;
    confirmed.statement.params.push(token.into());
    let changed = entry("auth.email_changed").record_own(cx, &RECORD_CHANGED)?;
    let told = [&holder.old, &holder.new];
    let told = told.map(|address| notice(cx, Template::EmailChanged, user, address));
    let [old, new] = told;
    let (old, new) = (old?, new?);
    let rows = cx
        .batch(&[
            LOCK.bind([user.into()]),
            confirmed.statement,
            CONFIRM.bind([
                user.into(),
                token.into(),
                cx.now.into(),
                confirmed.id.into(),
            ]),
            EVICT.bind([user.into(), cx.now.into()]),
            CHANGE.bind([user.into(), cx.now.into()]),
            changed.statement,
            END_SESSIONS.bind([
                user.into(),
                cx.now.into(),
                holder.session.as_str().into(),
                changed.id.as_str().into(),
            ]),
            DROP_CODE.bind([user.into(), changed.id.as_str().into()]),
            old.queue_if_recorded(&changed.id, cx.now),
            new.queue_if_recorded(&changed.id, cx.now),
            FORGET.bind([user.into()]),
        ])
        .await?;
    let row = |index: usize| rows.get(index).and_then(|rows: &Vec<Row>| rows.first());
    let waits_for = row(2).ok_or_else(spent)?.opt_text(0)?;
    if row(10).is_none() {
        return Ok(Reply::ok(
            &json!({"status": "pending", "waits_for": waits_for}),
        ));
    }
    if row(4).is_none() {
        let taken = "This address has an account by now; sign in to that one.";
        return Err(Error::new(Code::StateConflict).with_message(taken));
    }
    for mail in [&old, &new] {
        mail::soon(cx, &mail.id);
    }
    Ok(Reply::ok(&json!({"status": "changed"})))
}

/// One answer for a link that was never made, was opened, was replaced, or has expired.
fn spent() -> Error {
    Error::new(Code::TokenSpent).with_field("token")
}

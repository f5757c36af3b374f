//! Inviting, and what becomes of an invitation before it is accepted.

use serde_json::{Value as Json, json};

use super::store::{
    GET, INSERT, LIST, RECORD_CREATED, RECORD_RESENT, RECORD_REVOKED, RENEW, REVOKE, TAKE_BACK,
};
use crate::audit::{Entry, Record};
use crate::auth::email;
use crate::crypto::fingerprint;
use crate::fields::Fields;
use crate::guard::exact_limit::{INVITE_RECIPIENT, INVITE_TENANT};
use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Actor, Code, Context, Error, Interrupt, Page, Reply};
use crate::id::is_id;
use crate::mail::{self, Mail, Template};
use crate::organizations::record;
use crate::organizations::roles::{NAMED, may_grant, wanted};
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Statement, Value};
use crate::tenancy::{Held, LOCK};
use crate::time::{DAY, Millis};

/// How long the link in the mail works.
const LINK_LIFE: i64 = 7 * DAY;

/// Invites an address. Whether it has an account already changes nothing.
pub(in super::super) async fn create<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse(cx.request.body)?;
    let email = email(&mut fields)?;
    let named = fields.text("role", 1, 40)?;
    fields.finish()?;

    let (actor, rows) = cx
        .load(|tenant| vec![NAMED.bind(tenant, [named.as_str().into()])])
        .await?;
    let role = wanted(&named, rows.first().and_then(|rows| rows.first()))?;
    may_grant(&actor, &role)?;
    let id = cx.new_id("inv")?;
    let link = Link::new(cx, &id)?;
    let invited = json!({"before": null, "after": role.told()});
    let mut record = record(
        cx,
        &actor,
        &RECORD_CREATED,
        "invitation.create",
        &id,
        Some(&invited),
    )?;
    let limits = limited(&actor, &email);
    record.statement.params.extend(limits);
    record.statement.params.push(email.as_str().into());
    record.statement.params.push(role.mark().into());
    let insert = INSERT.bind(
        &actor.tenant,
        [
            id.as_str().into(),
            record.id.as_str().into(),
            email.as_str().into(),
            role.rank.name().into(),
            link.hash.as_str().into(),
            actor.user.as_str().into(),
            cx.now.into(),
            cx.now.plus(LINK_LIFE).into(),
            role.id().into(),
        ],
    );
    let mail = link.mail(cx, &id, &email)?;
    let writes = vec![insert, mail.queue_if_recorded(&record.id, cx.now)];
    let refused = "This address is a member, or has an invitation that still works; resend it.";
    write(cx, &actor, &email, record, writes, refused).await?;
    let shown = json!({
        "id": id,
        "email": email,
        "role": role.name(),
        "base": role.rank.name(),
        "state": "pending",
        "invitedBy": actor.user,
        "createdAt": cx.now.rfc3339(),
        "expiresAt": cx.now.plus(LINK_LIFE).rfc3339(),
    });
    Ok(Reply::json(201, &shown))
}

/// The tenant's invitations, newest first, until 30 days after their end.
pub(in super::super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let page = Page::read(&cx.request)?;
    let (_, rows) = cx
        .load(|tenant| vec![LIST.bind(tenant, page.params())])
        .await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    let place = |row: &Row| Ok((row.int(4)?, row.text(0)?.to_owned()));
    Ok(page.reply(rows, place, |row| show(row, cx.now))?)
}

/// Sends another link; the one before is dead, and seven days start again.
pub(in super::super) async fn resend<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, row) = one(cx).await?;
    may_grant(&actor, &promised(&row)?)?;
    let (id, email) = (row.text(0)?, row.text(1)?);
    let link = Link::new(cx, id)?;
    let mut record = record(cx, &actor, &RECORD_RESENT, "invitation.resend", id, None)?;
    record.statement.params.extend(limited(&actor, email));
    let end = cx.now.plus(LINK_LIFE);
    let renew = RENEW.bind(
        &actor.tenant,
        [
            id.into(),
            record.id.as_str().into(),
            link.hash.as_str().into(),
            end.into(),
        ],
    );
    let mail = link.mail(cx, id, email)?;
    let queue = mail.queue_if_recorded(&record.id, cx.now);
    let writes = vec![renew, mail.drop_if_recorded(&record.id), queue];
    let refused = "Only an invitation that was neither accepted nor revoked can be sent again.";
    write(cx, &actor, email, record, writes, refused).await?;
    let mut shown = show(&row, cx.now)?;
    if let Some(object) = shown.as_object_mut() {
        object.insert("state".to_owned(), json!("pending"));
        object.insert("expiresAt".to_owned(), json!(end.rfc3339()));
    }
    Ok(Reply::ok(&shown))
}

/// Kills the link; the invitation stays in the list.
pub(in super::super) async fn revoke<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, row) = one(cx).await?;
    let role = promised(&row)?;
    allow_revoking(&actor, &role)?;
    let id = row.text(0)?;
    let revoked = json!({"before": role.told(), "after": null});
    let record = Entry::by(&actor, "invitation.revoke", id).record_change(
        cx,
        &RECORD_REVOKED,
        &actor.tenant,
        Some(&revoked),
    )?;
    let rows = cx
        .batch(&[
            LOCK.bind(&actor.tenant, []),
            record.statement,
            REVOKE.bind(&actor.tenant, [id.into(), cx.now.into()]),
        ])
        .await?;
    if rows.last().is_none_or(Vec::is_empty) {
        let rule = "It was accepted already; remove the member instead.";
        return Err(Error::new(Code::StateConflict).with_message(rule).into());
    }
    let mut shown = show(&row, cx.now)?;
    if let Some(object) = shown.as_object_mut() {
        object.insert("state".to_owned(), json!("revoked"));
    }
    Ok(Reply::ok(&shown))
}

/// Whoever could give the role may take the promise of it back, on any plan.
fn allow_revoking(actor: &Actor, role: &Held) -> Result<(), Error> {
    allow(
        actor,
        Action::Grant,
        Resource::Role(role.rank, role.permissions()),
    )
}

/// A token for an invitation, and what makes it again.
struct Link {
    nonce: String,
    hash: String,
}

impl Link {
    fn new<P: Platform>(cx: &Context<'_, P>, id: &str) -> Result<Self, Error> {
        let ready = cx.ready()?;
        let nonce = mail::nonce(ready, &cx.new_id("mtk")?);
        let token = mail::token(ready, Template::Invitation, id, &nonce);
        let hash = fingerprint(&token);
        Ok(Self { nonce, hash })
    }

    fn mail<'a, P: Platform>(
        &'a self,
        cx: &Context<'_, P>,
        id: &'a str,
        email: &'a str,
    ) -> Result<Mail<'a>, Error> {
        Ok(Mail {
            id: cx.new_id("mai")?,
            recipient: email,
            template: Template::Invitation,
            subject_id: id,
            nonce: &self.nonce,
        })
    }
}

/// The limits of a mail to `email`, as the record asks for them.
fn limited(actor: &Actor, email: &str) -> [Value; 4] {
    let (tenant, by_tenant) = INVITE_TENANT.bound(actor.tenant.as_str());
    let (recipient, by_recipient) = INVITE_RECIPIENT.bound(email);
    [
        tenant.into(),
        by_tenant.into(),
        recipient.into(),
        by_recipient.into(),
    ]
}

/// Writes under the tenant's lock what costs a mail to `email`. Without a record there is no mail,
/// and the address keeps its hit.
///
/// # Errors
/// `RATE_LIMITED`; `STATE_CONFLICT` with `refused`.
async fn write<P: Platform>(
    cx: &Context<'_, P>,
    actor: &Actor,
    email: &str,
    record: Record,
    writes: Vec<Statement>,
    refused: &str,
) -> Result<(), Error> {
    let tenant = actor.tenant.as_str();
    let [key, hits, recipient, _] = limited(actor, email);
    let record_id = record.id.as_str().into();
    let take_back = TAKE_BACK.bind(&actor.tenant, [key, hits, recipient, record_id]);
    let mut all = vec![
        LOCK.bind(&actor.tenant, []),
        INVITE_TENANT.hit(tenant, cx.now),
        INVITE_RECIPIENT.hit_after(email, &INVITE_TENANT, tenant, cx.now),
        record.statement,
    ];
    all.extend(writes);
    all.push(take_back);
    let rows = cx.batch(&all).await?;
    let [_, by_tenant, by_recipient, recorded, ..] = rows.as_slice() else {
        return Err(DatabaseError::Shape("four results were expected".to_owned()).into());
    };
    INVITE_TENANT.judge(by_tenant, cx.now)?;
    INVITE_RECIPIENT.judge(by_recipient, cx.now)?;
    if recorded.is_empty() {
        return Err(Error::new(Code::StateConflict).with_message(refused));
    }
    Ok(())
}

/// The caller and the invitation that the path names.
///
/// # Errors
/// `NOT_FOUND` for other tenants' invitations and for text that is no invitation's id.
async fn one<P: Platform>(cx: &Context<'_, P>) -> Result<(Actor, Row), Interrupt> {
    let id = cx.param();
    let (actor, rows) = cx
        .load(|tenant| vec![GET.bind(tenant, [id.into()])])
        .await?;
    let row = rows
        .into_iter()
        .next()
        .and_then(|rows| rows.into_iter().next());
    let row = row.filter(|_| is_id("inv", id));
    Ok((actor, row.ok_or_else(|| Error::new(Code::NotFound))?))
}

fn promised(row: &Row) -> Result<Held, DatabaseError> {
    Held::read(row, 2, 8)
}

fn show(row: &Row, now: Millis) -> Result<Json, DatabaseError> {
    let end = Millis(row.int(5)?);
    let state = if row.opt_int(6)?.is_some() {
        "accepted"
    } else if row.opt_int(7)?.is_some() {
        "revoked"
    } else if end <= now {
        "expired"
    } else {
        "pending"
    };
    let role = promised(row)?;
    Ok(json!({
        "id": row.text(0)?,
        "email": row.text(1)?,
        "role": role.name(),
        "base": role.rank.name(),
        "state": state,
        "invitedBy": row.text(3)?,
        "createdAt": Millis(row.int(4)?).rfc3339(),
        "expiresAt": end.rfc3339(),
    }))
}

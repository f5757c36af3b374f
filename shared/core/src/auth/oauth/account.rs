//! From a person at a provider to a user here.
//!
//! An account is linked only through an address that the provider has verified, or by a user
//! who is signed in. An address that was registered here but never proven goes to its owner.

use serde_json::{Value as Json, json};

use super::flow::{Flow, Linker};
use super::profile::Person;
use super::provider::Provider;
use super::store::{
    BY_EMAIL, BY_IDENTITY, INSERT_VERIFIED, LINK, LINK_OWN, LIST, LIVES, LOCK, RECORD_LINKED,
    RECORD_UNLINKED, TAKE_OVER, UNLINK,
};
use crate::audit::Entry;
use crate::auth::accounts::{Account, INSERT_FOUNDER, INSERT_TENANT};
use crate::auth::mfa::{self, Again, Given};
use crate::auth::password;
use crate::auth::session::{self, Keep, SignIn};
use crate::config::Feature;
use crate::fields::Fields;
use crate::guard::identity::Credential;
use crate::http::{Code, Context, Error, Interrupt, Reply};
use crate::port::{DatabaseError, Platform};
use crate::sql::{Row, Statement};
use crate::tenancy::{Role, TenantId};
use crate::time::Millis;
use crate::trials::Beginning;

/// How a session was proven that began at another provider.
const FEDERATED: &str = "fed";

/// The way by which a person comes in.
pub(super) struct Way<'a> {
    /// Whose word for them it is.
    pub(super) provider: &'a str,
    /// By what it is proven.
    pub(super) amr: &'static str,
    pub(super) keep: Keep,
    /// Whether somebody new gets an account.
    pub(super) create: bool,
    /// Where the session is to be; where they came in last, if it does not matter.
    pub(super) tenant: Option<&'a str>,
}

/// Signs the person in, or links them to the user who asked for it.
pub(super) async fn admit<P: Platform>(
    cx: &Context<'_, P>,
    provider: &Provider,
    flow: &Flow,
    person: &Person,
) -> Result<Reply, Error> {
    if let Some(linker) = flow.link() {
        return join(cx, provider, person, linker).await;
    }
    let way = Way {
        provider: &provider.id,
        amr: FEDERATED,
        keep: flow.keep(),
        create: true,
        tenant: None,
    };
    enter_by(cx, &way, person).await
}

/// Signs the person in.
pub(super) async fn enter_by<P: Platform>(
    cx: &Context<'_, P>,
    way: &Way<'_>,
    person: &Person,
) -> Result<Reply, Error> {
    match sign_in(cx, way, person).await {
        // Two first sign-ins at once: the slower finds what the faster made.
        Err(error) if error.code() == Code::Internal => sign_in(cx, way, person).await,
        outcome => outcome,
    }
}

async fn sign_in<P: Platform>(
    cx: &Context<'_, P>,
    way: &Way<'_>,
    person: &Person,
) -> Result<Reply, Error> {
    let email = person.verified_email.as_deref();
    let there = || way.tenant.unwrap_or_default().into();
    let rows = cx
        .batch(&[
            BY_IDENTITY.bind([way.provider.into(), person.subject.as_str().into(), there()]),
            BY_EMAIL.bind([email.unwrap_or_default().into(), there()]),
        ])
        .await?;
    let account = |index: usize| -> Result<Option<Account>, DatabaseError> {
        let row = rows.get(index).and_then(|rows| rows.first());
        row.map(Account::from_row).transpose()
    };
    if let Some(account) = account(0)? {
        return enter(cx, way, &account, Vec::new()).await;
    }
    let Some(email) = email else {
        return Err(Error::new(Code::OauthEmailUnverified));
    };
    let link = |user: &str| link(cx, way.provider, person, user);
    if let Some(mut account) = account(1)? {
        let mut also = vec![link(&account.user)];
        if !account.verified {
            account.as_of = cx.now;
            also.push(TAKE_OVER.bind([
                account.user.as_str().into(),
                password::UNUSABLE.into(),
                cx.now.into(),
            ]));
        }
        also.push(recorded(
            cx,
            &account.user,
            "auth.identity_linked",
            way.provider,
        )?);
        return enter(cx, way, &account, also).await;
    }
    if !way.create {
        return Err(Error::new(Code::Forbidden));
    }
    if !cx.config()?.features.on(Feature::Registration) {
        return Err(Error::new(Code::FeatureDisabled));
    }
    let account = Account {
        user: cx.new_id("usr")?,
        password_hash: password::UNUSABLE.to_owned(),
        verified: true,
        disabled: false,
        tenant: cx.new_id("ten")?,
        role: Role::Founder.name().to_owned(),
        as_of: cx.now,
    };
    let (user, tenant) = (
        account.user.as_str(),
        TenantId::proven(account.tenant.as_str()),
    );
    let trial = Beginning::of(cx, &tenant, true)?;
    let mut also = vec![
        INSERT_VERIFIED.bind([
            user.into(),
            email.into(),
            password::UNUSABLE.into(),
            cx.now.into(),
        ]),
        INSERT_TENANT.bind(
            &tenant,
            [
                "My company".into(),
                cx.now.into(),
                user.into(),
                trial.plan,
                trial.ends,
            ],
        ),
        INSERT_FOUNDER.bind(&tenant, [user.into(), cx.now.into()]),
        link(user),
        recorded(cx, user, "auth.register", way.provider)?,
    ];
    also.extend(trial.event);
    enter(cx, way, &account, also).await
}

fn link<P: Platform>(
    cx: &Context<'_, P>,
    provider: &str,
    person: &Person,
    user: &str,
) -> Statement {
    LINK.bind([
        provider.into(),
        person.subject.as_str().into(),
        user.into(),
        cx.now.into(),
    ])
}

async fn enter<P: Platform>(
    cx: &Context<'_, P>,
    way: &Way<'_>,
    account: &Account,
    also: Vec<Statement>,
) -> Result<Reply, Error> {
    if account.disabled {
        return Err(Error::new(Code::CredentialsInvalid));
    }
    // The issuer named it; that they are its member is a row of ours.
    if way.tenant.is_some_and(|tenant| tenant != account.tenant) {
        return Err(Error::new(Code::Forbidden));
    }
    let who = SignIn {
        user: &account.user,
        tenant: &account.tenant,
        role: &account.role,
        amr: way.amr,
        keep: way.keep,
    };
    // The provider's word is one factor, whatever it asked for itself.
    let rows = cx.query(mfa::FACTORS_ON.bind([who.user.into()])).await?;
    let factors = mfa::kinds(&rows)?;
    if factors.is_empty() {
        return session::start(cx, &who, account.as_of, also).await;
    }
    mfa::ask(cx, &who, &factors, account.as_of, also).await
}

/// Links the person to a user who was signed in when they started, and is so still.
async fn join<P: Platform>(
    cx: &Context<'_, P>,
    provider: &Provider,
    person: &Person,
    linker: &Linker,
) -> Result<Reply, Error> {
    let (user, session) = (linker.user.as_str(), linker.session.as_str());
    let entry = identity_entry(user, "auth.identity_linked", &provider.id);
    let mut record = entry.record_own(cx, &RECORD_LINKED)?;
    let subject = person.subject.as_str();
    record.statement.params.push(subject.into());
    let rows = cx
        .batch(&[
            LIVES.bind([session.into(), user.into(), cx.now.into()]),
            LINK_OWN.bind([
                provider.id.as_str().into(),
                subject.into(),
                user.into(),
                cx.now.into(),
                session.into(),
            ]),
            record.statement,
        ])
        .await?;
    let nothing = |index: usize| rows.get(index).is_none_or(Vec::is_empty);
    if nothing(0) {
        return Err(Error::new(Code::SessionEnded));
    }
    if nothing(1) {
        let taken = "This account of the provider is linked already.";
        return Err(Error::new(Code::StateConflict).with_message(taken));
    }
    Ok(Reply::ok(
        &json!({"status": "linked", "provider": provider.id}),
    ))
}

fn recorded<P: Platform>(
    cx: &Context<'_, P>,
    user: &str,
    action: &'static str,
    provider: &str,
) -> Result<Statement, Error> {
    identity_entry(user, action, provider).append(cx)
}

fn identity_entry<'a>(user: &'a str, action: &'static str, provider: &'a str) -> Entry<'a> {
    Entry {
        tenant: None,
        actor: user,
        action,
        target: provider,
    }
}

/// The caller's accounts at providers.
pub(in crate::auth) async fn identities<P: Platform>(
    cx: &Context<'_, P>,
) -> Result<Reply, Interrupt> {
    let Credential::Member(claims) = cx.credential() else {
        return Err(Error::new(Code::AuthRequired).into());
    };
    let user = claims.user.as_str();
    let (_, rows) = cx.load(|_| vec![LIST.bind([user.into()])]).await?;
    let rows = rows.first().map_or(&[][..], Vec::as_slice);
    let shown: Vec<Json> = rows.iter().map(show).collect::<Result<_, _>>()?;
    Ok(Reply::ok(&shown))
}

fn show(row: &Row) -> Result<Json, DatabaseError> {
    Ok(json!({
        "provider": row.text(0)?,
        "subject": row.text(1)?,
        "createdAt": Millis(row.int(2)?).rfc3339(),
    }))
}

/// Takes a provider off the caller's account, unless it is the last way in. Proof anew is asked for:
/// whoever has only a session must not lock the owner out.
pub(in crate::auth) async fn unlink<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let mut fields = Fields::parse_or_empty(cx.request.body)?;
    let given = Given::read(&mut fields)?;
    fields.finish()?;
    let own = Again::demand(cx, &given).await?;
    let user = own.actor.user.as_str();
    let entry = identity_entry(user, "auth.identity_unlinked", cx.param());
    let mut record = entry.record_own(cx, &RECORD_UNLINKED)?;
    let mark = own.mark(&record.id);
    record
        .statement
        .params
        .extend([password::UNUSABLE.into(), mark]);
    let mut writes = vec![LOCK.bind([user.into()])];
    writes.extend(own.spend(cx, &record.id));
    let unlinked = writes.len();
    writes.extend([
        record.statement,
        UNLINK.bind([user.into(), cx.param().into(), record.id.into()]),
    ]);
    let rows = cx.batch(&writes).await?;
    let (before, rows) = rows.split_at_checked(unlinked).unwrap_or_default();
    own.spent(before)?;
    if rows.last().is_none_or(Vec::is_empty) {
        let last = "Not linked, or the last way to sign in: set a password first.";
        return Err(Error::new(Code::StateConflict).with_message(last).into());
    }
    Ok(Reply::ok(&json!({"status": "unlinked"})))
}

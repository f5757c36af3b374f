//! What a handler works with.

use core::cell::{Cell, RefCell};

use super::credential::known_tenant;
use super::error::{Code, Error, Interrupt, PLANS};
use super::message::Request;
use super::route::RouteInfo;
use super::trace::RequestIds;
use crate::app::Ready;
use crate::config::Config;
use crate::guard::idempotency::{Claim, Stored};
use crate::guard::identity::Credential;
use crate::guard::rate_limit::Charge;
use crate::key_value;
use crate::metrics::Series;
use crate::organizations::api_keys::uses;
use crate::port::Platform;
use crate::sql::{Row, Statement};
use crate::tenancy::{Held, Permissions, PlanFeature, PlanFeatures, Resolver, TenantId};
use crate::time::Millis;

/// What is learnt while one request runs, for `Server-Timing`, the log and the metrics.
#[derive(Debug, Default)]
pub struct Meter {
    /// Calls of the database port.
    pub sql: Cell<u32>,
    /// Calls of the key-value port, deferred ones included.
    pub kv: Cell<u32>,
    /// The tenant, once it is known; for the log.
    pub tenant: RefCell<Option<String>>,
    /// What kind of credential the request carried, on routes that ask for one.
    pub presented: Cell<Option<&'static str>>,
    /// Whether somebody judged the caller and let them in.
    pub judged: Cell<bool>,
    /// How an attempt to sign in ended, where its status does not say.
    pub attempt: Cell<Option<&'static str>>,
    /// Whether the caller's tenant had a trial, which has expired.
    pub trial_over: Cell<bool>,
    /// What the request counted in, and by which limits it is judged.
    pub charge: RefCell<Option<Charge>>,
    /// What was counted on the way.
    pub counted: RefCell<Vec<Series>>,
}

impl Meter {
    pub(super) fn count(cell: &Cell<u32>) {
        cell.set(cell.get().saturating_add(1));
    }
}

/// A caller whose rights were read from the database in this request.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The tenant it acts in.
    pub tenant: TenantId,
    /// The tenant's plan.
    pub plan: String,
    /// What the plan has.
    pub features: PlanFeatures,
    /// The member, or the owner of the API key.
    pub user: String,
    /// The member's role.
    pub held: Held,
    /// What the member may do: what the role holds.
    pub permissions: Permissions,
    /// The session, for members.
    pub session: Option<String>,
    /// The networks a key is bound to, of which one holds the client; for statements that must
    /// judge by themselves.
    pub networks: Option<String>,
}

impl Actor {
    /// Asks for a feature of the tenant's plan, after the member's own right to it was judged.
    ///
    /// # Errors
    /// `PLAN_UPGRADE_REQUIRED`.
    pub fn needs(&self, feature: PlanFeature) -> Result<(), Error> {
        let has = self.features.has(feature);
        has.then_some(()).ok_or_else(|| Error::plan_lacks(feature))
    }
}

/// One request with everything its handler may use.
#[derive(Debug)]
pub struct Context<'a, P: Platform> {
    /// The ports.
    pub platform: &'a P,
    /// The request.
    pub request: Request<'a>,
    /// Texts of the route's `:` segments, in order.
    pub params: &'a [&'a str],
    /// The route.
    pub route: &'static RouteInfo,
    /// Request and trace id.
    pub ids: &'a RequestIds,
    /// The time of the request; it does not move while it runs.
    pub now: Millis,
    /// The client's address, behind our own proxies what they say ([`crate::guard::client`]).
    pub client: &'a str,
    pub(super) ready: Option<&'a Ready>,
    pub(super) credential: &'a Credential,
    pub(super) resolver: Resolver,
    pub(super) claim: Option<Claim>,
    pub(super) meter: &'a Meter,
    pub(super) moved: i64,
}

impl<P: Platform> Context<'_, P> {
    /// Configuration, keys and caches.
    ///
    /// # Errors
    /// `NOT_CONFIGURED` on the few routes that answer without a sound configuration.
    pub fn ready(&self) -> Result<&Ready, Error> {
        self.ready.ok_or_else(|| Error::new(Code::NotConfigured))
    }

    /// The time as it passes, for work that takes longer than a request: leases begin when they are
    /// taken. Where tests may move the request's clock, it is moved alike.
    pub fn clock(&self) -> Millis {
        self.platform.now().plus(self.moved)
    }

    /// The configuration.
    ///
    /// # Errors
    /// As [`Self::ready`].
    pub fn config(&self) -> Result<&Config, Error> {
        self.ready().map(|ready| &ready.config)
    }

    /// Where the plans are shown, for who needs another one.
    pub fn plans_url(&self) -> String {
        let base = self.ready.map_or("", |ready| &ready.config.gateway_url);
        [base, PLANS].concat()
    }

    /// The text of the first `:` segment.
    pub fn param(&self) -> &str {
        self.params.first().copied().unwrap_or_default()
    }

    /// What the caller's `Idempotency-Key` means here: the same for the same caller, route and key,
    /// and telling nothing of them.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.claim.as_ref().map(|claim| claim.id.as_str())
    }

    /// The service that calls, as the audit log names it.
    ///
    /// # Errors
    /// `AUTH_REQUIRED` for everybody else.
    pub fn service(&self) -> Result<String, Error> {
        match self.credential() {
            Credential::Service(claims) => Ok(format!("service:{}", claims.caller)),
            _ => Err(Error::new(Code::AuthRequired)),
        }
    }

    /// What the request carried.
    pub fn credential(&self) -> &Credential {
        self.credential
    }

    /// Random bytes from the platform.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.platform.random(&mut bytes)?;
        Ok(bytes)
    }

    /// A new id with that prefix.
    pub fn new_id(&self, prefix: &str) -> Result<String, Error> {
        Ok(crate::id::draw(prefix, self.now, |bytes| {
            self.platform.random(bytes)
        })?)
    }

    /// Judges the caller by the rows that hold now, and reads what the handler needs in the
    /// same round trip. What was read is handed out only to a caller the route's policy lets in.
    ///
    /// # Errors
    /// 401 or 403 by policy, 429 by limits that were not known before; the first answer again for a
    /// known idempotency key.
    pub async fn load(
        &self,
        reads: impl FnOnce(&TenantId) -> Vec<Statement>,
    ) -> Result<(Actor, Vec<Vec<Row>>), Interrupt> {
        let cached = self.cached_answer().await;
        let mut statements = vec![self.credential.state()?];
        if let (Some(claim), None) = (&self.claim, &cached) {
            statements.push(claim.find());
        }
        let own = statements.len();
        let hint = self.tenant_hint();
        let late = match &hint {
            Some(tenant) => {
                statements.extend(reads(tenant));
                None
            }
            None => Some(reads),
        };
        let mut rows = self.batch(&statements).await?;
        let mut rest = rows.split_off(own.min(rows.len()));
        let mut rows = rows.into_iter();
        let state = rows.next().unwrap_or_default();
        let actor = self.admit(&state, false)?;
        if let Some(claim) = &self.claim {
            let stored = match cached {
                Some(stored) => Some(stored),
                None => Claim::stored(&rows.next().unwrap_or_default(), self.now)?,
            };
            if let Some(stored) = stored {
                return Err(Interrupt::Replay(claim.replay(stored)?));
            }
        }
        if let Some(reads) = late {
            let statements = reads(&actor.tenant);
            if !statements.is_empty() {
                rest = self.batch(&statements).await?;
            }
        }
        Ok((actor, rest))
    }

    /// Like [`Self::load`], for statements that find their tenant by the caller's credential and
    /// are harmless for a caller who is not let in. Always one round trip, so it may write.
    ///
    /// # Errors
    /// 401 or 403 by policy.
    pub async fn load_guarded(
        &self,
        statements: Vec<Statement>,
    ) -> Result<(Actor, Vec<Vec<Row>>), Interrupt> {
        let mut all = vec![self.credential.state()?];
        all.extend(statements);
        let mut rows = self.batch(&all).await?;
        let rest = rows.split_off(1.min(rows.len()));
        let state = rows.into_iter().next().unwrap_or_default();
        let actor = self.admit(&state, true)?;
        Ok((actor, rest))
    }

    /// Lets the caller in, or not, and keeps what this has taught.
    fn admit(&self, state: &[Row], written: bool) -> Result<Actor, Error> {
        let access = self.route.access;
        let actor = self
            .credential
            .judge(state, access, self.client, self.now)?;
        self.meter.trial_over.set(self.credential.trial_over(state));
        // Last, so that only who may do it learns what the plan lacks.
        if let Some(feature) = self.route.plan {
            actor.needs(feature)?;
        }
        self.meter.judged.set(true);
        *self.meter.tenant.borrow_mut() = Some(actor.tenant.as_str().to_owned());
        if let (Credential::Key(key), Some(ready)) = (self.credential, self.ready) {
            let tenant = || actor.tenant.as_str().to_owned();
            let tenants = &ready.key_tenants;
            tenants.borrow_mut().entry(key.secret_hash.clone(), tenant);
            uses::count(self.platform, &ready.uses, &key.id, self.now);
        }
        self.limit_again(state, written)?;
        Ok(actor)
    }

    /// The error as the caller is told: what a plan lacks or has used up, it lacks because of the trial
    /// that has expired, if there was one.
    pub(super) fn told(&self, error: Error) -> Error {
        let of_plan = matches!(
            error.code(),
            Code::QuotaExceeded | Code::PlanUpgradeRequired
        );
        match self.ready {
            Some(ready) if of_plan && self.meter.trial_over.get() => {
                error.after_trial(&ready.config.frontend_url)
            }
            _ => error,
        }
    }

    /// The tenant before the database was asked: signed in the token, or learnt from an earlier
    /// request with the same key (a key never changes its tenant). Reads that use it are thrown
    /// away unless the caller is let in.
    fn tenant_hint(&self) -> Option<TenantId> {
        known_tenant(self.credential, self.ready?).map(TenantId::proven)
    }

    /// The answer to this idempotency key, if KV has it. A failing KV only costs a replay from SQL.
    async fn cached_answer(&self) -> Option<Stored> {
        let claim = self.claim.as_ref()?;
        Meter::count(&self.meter.kv);
        let text = key_value::get(self.platform, &claim.kv_key(), self.now).await?;
        serde_json::from_str::<Stored>(&text).ok()?.live(self.now)
    }
}

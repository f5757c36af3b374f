//! What a handler works with.

use core::cell::{Cell, RefCell};

use serde_json::{Map, Value as Json};

use super::error::{Code, Error, Interrupt};
use super::message::{HeaderSource, Reply, Request};
use super::route::RouteInfo;
use super::trace::RequestIds;
use crate::app::Ready;
use crate::audit::Record;
use crate::config::Config;
use crate::guard::idempotency::{Claim, Stored};
use crate::guard::identity::Credential;
use crate::organizations::api_keys::uses;
use crate::port::{Database as _, DatabaseError, KeyValue as _, Level, Platform};
use crate::sql::{Row, Statement};
use crate::tenancy::{Permissions, Role, TenantId};
use crate::time::Millis;

/// Round trips of one request, for `Server-Timing` and the log.
#[derive(Debug, Default)]
pub struct Meter {
    /// Calls of the database port.
    pub sql: Cell<u32>,
    /// Calls of the key-value port, deferred ones included.
    pub kv: Cell<u32>,
    /// The tenant, once it is known; for the log.
    pub tenant: RefCell<Option<String>>,
}

impl Meter {
    fn count(cell: &Cell<u32>) {
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
    /// The member, or the owner of the API key.
    pub user: String,
    /// The member's role.
    pub role: Role,
    /// What the member may do: what the role holds, or less.
    pub permissions: Permissions,
    /// The session, for members.
    pub session: Option<String>,
    /// The networks a key is bound to, of which one holds the client; for statements that must
    /// judge by themselves.
    pub networks: Option<String>,
}

/// A change that the database itself may refuse, because its rule must hold against parallel
/// requests too: a number that a plan allows, a state that only one of two may leave.
#[derive(Debug)]
pub struct Guarded {
    /// Runs first: a no-op update of the row that rivals have in common. Without it two
    /// transactions of PostgreSQL count the same rows and both go ahead.
    pub lock: Option<Statement>,
    /// Makes the change and returns a row, or returns none where its rule forbids it.
    pub change: Statement,
    /// Records the change if it was made.
    pub record: Record,
    /// More writes, each of which asks for the change or its record.
    pub rest: Vec<Statement>,
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

    /// The text of the first `:` segment.
    pub fn param(&self) -> &str {
        self.params.first().copied().unwrap_or_default()
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

    /// Runs one statement: one round trip.
    pub async fn query(&self, statement: Statement) -> Result<Vec<Row>, Error> {
        check(core::slice::from_ref(&statement))?;
        Meter::count(&self.meter.sql);
        let result = self.platform.database()?.query(&statement).await;
        let statements = core::slice::from_ref(&statement);
        let rows = result.map_err(|error| named(error, statements))?;
        self.tell(statements, core::slice::from_ref(&rows));
        Ok(rows)
    }

    /// Runs all statements or none: one round trip.
    pub async fn batch(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Error> {
        check(statements)?;
        Meter::count(&self.meter.sql);
        let result = self.platform.database()?.batch(statements).await;
        let rows = result.map_err(|error| named(error, statements))?;
        self.tell(statements, &rows);
        Ok(rows)
    }

    /// Judges the caller by the rows that hold now, and reads what the handler needs in the
    /// same round trip. What was read is handed out only to a caller the route's policy lets in.
    ///
    /// # Errors
    /// 401 or 403 by policy; the first answer again for a known idempotency key.
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
        let actor = self.judge(&state)?;
        self.remember(&actor);
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
        let actor = self.judge(&state)?;
        self.remember(&actor);
        Ok((actor, rest))
    }

    /// Writes everything in one batch, with the claim of the idempotency key and its answer.
    ///
    /// # Errors
    /// The first answer, when a parallel request with the same key was faster.
    pub async fn commit(
        &self,
        actor: &Actor,
        writes: Vec<Statement>,
        reply: Reply,
    ) -> Result<Reply, Interrupt> {
        let kept = reply.clone();
        self.commit_keeping(actor, writes, reply, &kept).await
    }

    /// Like [`Self::commit`], for answers with a secret in them: `kept` is what a replay gives.
    pub async fn commit_keeping(
        &self,
        actor: &Actor,
        mut writes: Vec<Statement>,
        reply: Reply,
        kept: &Reply,
    ) -> Result<Reply, Interrupt> {
        let claim = self
            .claim
            .as_ref()
            .and_then(|claim| Some((claim, claim.keep(kept)?)));
        let Some((claim, stored)) = claim else {
            self.batch(&writes).await?;
            return Ok(reply);
        };
        writes.extend(claim.statements(&actor.tenant, &stored, self.now));
        match self.batch(&writes).await {
            Ok(_) => {
                self.cache_answer(claim, &stored);
                Ok(reply)
            }
            Err(error) => Err(self.replay_after(claim, error).await?),
        }
    }

    /// Like [`Self::commit_keeping`], for a change with a guard. `None` when the guard refused:
    /// then nothing was written, no record and no claim, and the same key may be tried again.
    ///
    /// # Errors
    /// The first answer, when a parallel request with the same key was faster.
    pub async fn commit_guarded(
        &self,
        actor: &Actor,
        guarded: Guarded,
        reply: Reply,
        kept: &Reply,
    ) -> Result<Option<Reply>, Interrupt> {
        let Guarded {
            lock,
            change,
            record,
            rest,
        } = guarded;
        let mut writes: Vec<Statement> = lock.into_iter().collect();
        let guard = writes.len();
        writes.extend([change, record.statement]);
        writes.extend(rest);
        let done = |rows: &[Vec<Row>]| rows.get(guard).is_some_and(|rows| !rows.is_empty());
        let claim = self
            .claim
            .as_ref()
            .and_then(|claim| Some((claim, claim.keep(kept)?)));
        let Some((claim, stored)) = claim else {
            let rows = self.batch(&writes).await?;
            return Ok(done(&rows).then_some(reply));
        };
        writes.extend(claim.statements_if(&actor.tenant, &stored, &record.id, self.now));
        let rows = match self.batch(&writes).await {
            Ok(rows) => rows,
            Err(error) => return Err(self.replay_after(claim, error).await?),
        };
        if done(&rows) {
            self.cache_answer(claim, &stored);
            return Ok(Some(reply));
        }
        // A twin with the same key may have taken the last place.
        let found = rows.last().map_or(&[][..], Vec::as_slice);
        match Claim::stored(found, self.now)? {
            Some(first) => Err(Interrupt::Replay(claim.replay(first)?)),
            None => Ok(None),
        }
    }

    /// What to answer when a batch with a claim failed: the claim of a faster twin, if there is
    /// one.
    async fn replay_after(&self, claim: &Claim, error: Error) -> Result<Interrupt, Error> {
        let rows = self.query(claim.find()).await?;
        match Claim::stored(&rows, self.now)? {
            Some(first) => Ok(Interrupt::Replay(claim.replay(first)?)),
            None => Ok(error.into()),
        }
    }

    /// Writes one line to the log. `fields` must hold neither secrets nor personal data.
    pub fn log(&self, level: Level, event: &str, fields: &[(&str, Json)]) {
        let threshold = self
            .ready
            .map_or(Level::Info, |ready| ready.config.log_level);
        if level >= threshold {
            let fields = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()));
            self.line(level, event, fields);
        }
    }

    /// The audit log's second sink: what was recorded is logged too, whatever the threshold.
    fn tell(&self, statements: &[Statement], rows: &[Vec<Row>]) {
        for fields in crate::audit::told(statements, rows) {
            self.line(Level::Info, "audit", fields);
        }
    }

    /// Writes one line to the log, whatever `LOG_LEVEL` says.
    pub(crate) fn line(
        &self,
        level: Level,
        event: &str,
        fields: impl IntoIterator<Item = (String, Json)>,
    ) {
        let mut line = Map::new();
        line.insert("level".to_owned(), level.name().into());
        line.insert("time".to_owned(), self.now.rfc3339().into());
        line.insert("event".to_owned(), event.into());
        line.insert("route".to_owned(), self.route.name.into());
        line.insert("request_id".to_owned(), self.ids.request_id.as_str().into());
        line.insert("trace_id".to_owned(), self.ids.trace_id.as_str().into());
        line.extend(fields);
        self.platform.log(level, &Json::Object(line).to_string());
    }

    fn judge(&self, state: &[Row]) -> Result<Actor, Error> {
        let access = self.route.access;
        self.credential.judge(state, access, self.client, self.now)
    }

    fn remember(&self, actor: &Actor) {
        *self.meter.tenant.borrow_mut() = Some(actor.tenant.as_str().to_owned());
        if let (Credential::Key(key), Some(ready)) = (self.credential, self.ready) {
            ready
                .key_tenants
                .borrow_mut()
                .learn(&key.secret_hash, actor.tenant.as_str());
            uses::count(self.platform, &ready.uses, &key.id, self.now);
        }
    }

    /// The tenant before the database was asked: signed in the token, or learnt from an earlier
    /// request with the same key (a key never changes its tenant). Reads that use it are thrown
    /// away unless the caller is let in.
    fn tenant_hint(&self) -> Option<TenantId> {
        match self.credential {
            Credential::Member(claims) => Some(TenantId::proven(claims.tenant.as_str())),
            Credential::Key(key) => {
                let known = self.ready?.key_tenants.borrow().get(&key.secret_hash);
                known.map(TenantId::proven)
            }
            Credential::None | Credential::Service(_) => None,
        }
    }

    /// The answer to this idempotency key, if KV has it. A failing KV only costs a replay from SQL.
    async fn cached_answer(&self) -> Option<Stored> {
        let claim = self.claim.as_ref()?;
        let store = self.platform.key_value()?;
        Meter::count(&self.meter.kv);
        let text = store.get(&claim.kv_key(), self.now).await.ok()??;
        serde_json::from_str(&text).ok()
    }

    fn cache_answer(&self, claim: &Claim, stored: &Stored) {
        let Ok(text) = serde_json::to_string(stored) else {
            return;
        };
        let (platform, key, now) = (self.platform.clone(), claim.kv_key(), self.now);
        Meter::count(&self.meter.kv);
        self.platform.defer(async move {
            if let Some(store) = platform.key_value() {
                // SQL holds the answer too, so a failure here changes nothing.
                let _ = store.put(&key, &text, 86_400, now).await;
            }
        });
    }
}

/// Values that some database would change are a mistake of ours.
fn check(statements: &[Statement]) -> Result<(), Error> {
    let odd = statements
        .iter()
        .find(|statement| !statement.params.iter().all(crate::sql::Value::is_portable));
    match odd {
        None => Ok(()),
        Some(statement) => Err(Error::new(Code::Internal).with_cause(format!(
            "{}: a value that is not portable",
            statement.query.name
        ))),
    }
}

/// Adds the names of the statements to what the log will say.
fn named(error: DatabaseError, statements: &[Statement]) -> Error {
    let names: Vec<_> = statements
        .iter()
        .map(|statement| statement.query.name)
        .collect();
    let cause = format!("{error} (in {})", names.join(", "));
    Error::from(error).with_cause(cause)
}

/// Runs `work` outside any request: a cron tick or a queue message. Returns `None` when the
/// configuration is refused, which is logged.
pub async fn in_background<P: Platform, T>(
    platform: &P,
    route: &'static RouteInfo,
    work: impl AsyncFnOnce(&Context<'_, P>) -> T,
) -> Option<T> {
    let mut random = [0; 24];
    let _ = platform.random(&mut random);
    let ids = RequestIds::from_headers(&NoHeaders, random);
    let meter = Meter::default();
    let cx = Context {
        platform,
        request: Request {
            path: route.path,
            query: "",
            headers: &NoHeaders,
            body: &[],
        },
        params: &[],
        route,
        ids: &ids,
        now: platform.now(),
        client: "",
        ready: platform.app().ready().ok(),
        credential: &Credential::None,
        claim: None,
        meter: &meter,
        moved: 0,
    };
    if let Err(problems) = platform.app().ready() {
        cx.log(
            Level::Error,
            "config.refused",
            &[("problems", problems.to_string().into())],
        );
        return None;
    }
    Some(work(&cx).await)
}

struct NoHeaders;

impl HeaderSource for NoHeaders {
    fn header(&self, _: &str) -> Option<String> {
        None
    }
}

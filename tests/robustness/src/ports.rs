//! The ports that fail when they are told to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;

use edgekeep_core::port::{
    self, Again, DatabaseError, Dialect, KeyValueError, OutboundError, OutboundRequest,
    OutboundResponse,
};
use edgekeep_core::sql::{Row, Statement, SystemQuery};
use edgekeep_core::time::Millis;
use edgekeep_fake_stripe::{Asked, Stripe, Told};
use edgekeep_native::{Memory, Platform};
use tokio::sync::Notify;

/// What the database does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Works.
    None,
    /// The nth call from now (from 1) is lost on its way there.
    Before(u32),
    /// The nth call from now is done, but its answer is lost: what D1's clients must expect.
    After(u32),
    /// The nth statement from now is done, and what comes after it in its batch fails.
    Statement(u32),
    /// The nth call from now waits ([`crate::World::in_between`]); it has happened as soon as it does.
    Waits(u32),
    /// Every call fails.
    Down,
    /// Every call gives way to another one.
    Busy,
    /// No call ever answers.
    Hangs,
    /// There is no binding.
    Missing,
}

/// The outside: keeps what was sent to it and answers what it was told to; the real one until
/// it was told.
pub struct Network {
    pub(crate) inner: Platform,
    pub(crate) sent: RefCell<Vec<OutboundRequest>>,
    pub(crate) answer: RefCell<Option<Result<OutboundResponse, OutboundError>>>,
    /// How long it takes with that, in milliseconds.
    pub(crate) delay: Cell<u32>,
    /// What its next answers say about another attempt, the last one first.
    pub(crate) again: RefCell<Vec<Again>>,
    /// Stripe, once somebody plays it here.
    pub(crate) stripe: RefCell<Option<Stripe>>,
    /// Answers of single places, by how their URL ends; these come first.
    pub(crate) places: RefCell<BTreeMap<&'static str, String>>,
}

impl port::Outbound for Network {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        if let Some(stripe) = self.stripe.borrow_mut().as_mut()
            && let Some((_, path)) = request.url.split_once("stripe.test")
        {
            return ask(stripe, path, &request);
        }
        let body = {
            let places = self.places.borrow();
            let place = places.iter().find(|(end, _)| request.url.ends_with(*end));
            place.map(|(_, body)| body.clone().into_bytes())
        };
        if let Some(body) = body {
            self.sent.borrow_mut().push(request);
            return Ok(OutboundResponse {
                status: 200,
                body,
                again: Again::default(),
            });
        }
        let told = self.answer.borrow().clone();
        let Some(answer) = told else {
            return port::Platform::outbound(&self.inner).send(request).await;
        };
        self.sent.borrow_mut().push(request);
        if self.delay.get() > 0 {
            port::Platform::sleep(&self.inner, self.delay.get()).await;
        }
        answer.map(|answer| OutboundResponse {
            again: self.again.borrow_mut().pop().unwrap_or_default(),
            ..answer
        })
    }
}

/// Lets the Stripe of this process answer; nobody waits for what is late.
fn ask(
    stripe: &mut Stripe,
    path: &str,
    request: &OutboundRequest,
) -> Result<OutboundResponse, OutboundError> {
    let headers = request.headers.iter();
    let asked = Asked {
        method: request.method.to_owned(),
        path: path.to_owned(),
        headers: headers.map(|(n, v)| ((*n).to_owned(), v.clone())).collect(),
        body: String::from_utf8(request.body.clone()).expect("text"),
    };
    match stripe.answer(&asked) {
        Told::Nothing => Err(OutboundError::Failed("hung up".to_owned())),
        Told::Answer(status, body, _) => Ok(OutboundResponse {
            status,
            body: body.to_string().into_bytes(),
            again: Again::default(),
        }),
    }
}

pub struct FaultyDatabase {
    pub(crate) inner: Platform,
    pub(crate) fault: Cell<Fault>,
    pub(crate) gate: Notify,
    /// Calls and statements since somebody asked.
    pub(crate) ran: Cell<(usize, usize)>,
}

/// Fails when it runs, not when it is prepared.
static POISON: SystemQuery = SystemQuery::new("test.poison", "SELECT json('x')");

pub struct FaultyStore {
    pub(crate) inner: Platform,
    pub(crate) down: Cell<bool>,
}

impl FaultyDatabase {
    /// Whether this call is lost, before or after it is done.
    fn strike(&self) -> (bool, bool) {
        let (next, before, after) = match self.fault.get() {
            Fault::Before(0 | 1) => (Fault::None, true, false),
            Fault::Before(n) => (Fault::Before(n - 1), false, false),
            Fault::After(0 | 1) => (Fault::None, false, true),
            Fault::After(n) => (Fault::After(n - 1), false, false),
            Fault::Down => (Fault::Down, true, false),
            other => (other, false, false),
        };
        self.fault.set(next);
        (before, after)
    }

    /// The batch with what fails in it, if its turn has come.
    fn poisoned(&self, statements: &[Statement]) -> Option<Vec<Statement>> {
        let Fault::Statement(left) = self.fault.get() else {
            return None;
        };
        let later = (left as usize).checked_sub(statements.len());
        if let Some(later) = later.filter(|later| *later > 0) {
            self.fault.set(Fault::Statement(later as u32));
            return None;
        }
        self.fault.set(Fault::None);
        let mut statements = statements.to_vec();
        statements.insert(left as usize, POISON.bind([]));
        Some(statements)
    }
}

fn lost() -> DatabaseError {
    DatabaseError::Unavailable("injected".to_owned())
}

impl port::Database for FaultyDatabase {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn query(&self, statement: &Statement) -> Result<Vec<Row>, DatabaseError> {
        let rows = self.batch(std::slice::from_ref(statement)).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let (calls, all) = self.ran.get();
        self.ran.set((calls + 1, all + statements.len()));
        match self.fault.get() {
            Fault::Hangs => pending::<()>().await,
            Fault::Busy => return Err(DatabaseError::Busy("injected".to_owned())),
            Fault::Waits(0 | 1) => {
                self.fault.set(Fault::None);
                self.gate.notified().await;
            }
            Fault::Waits(n) => self.fault.set(Fault::Waits(n - 1)),
            _ => {}
        }
        let (before, after) = self.strike();
        if before {
            return Err(lost());
        }
        let database = port::Platform::database(&self.inner).map_err(|_| lost())?;
        if let Some(poisoned) = self.poisoned(statements) {
            return database.batch(&poisoned).await;
        }
        let rows = database.batch(statements).await?;
        if after { Err(lost()) } else { Ok(rows) }
    }
}

impl FaultyStore {
    fn inner(&self) -> Result<&Memory, KeyValueError> {
        let store = port::Platform::key_value(&self.inner).filter(|_| !self.down.get());
        store.ok_or_else(|| KeyValueError("injected".to_owned()))
    }
}

impl port::KeyValue for FaultyStore {
    const COUNTS: bool = false;

    async fn get(&self, key: &str, now: Millis) -> Result<Option<String>, KeyValueError> {
        self.inner()?.get(key, now).await
    }

    async fn put(
        &self,
        key: &str,
        value: &str,
        ttl: u32,
        now: Millis,
    ) -> Result<(), KeyValueError> {
        self.inner()?.put(key, value, ttl, now).await
    }

    async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        self.inner()?.delete(key).await
    }

    async fn add(&self, key: &str, amount: i64, ends: Millis) -> Result<i64, KeyValueError> {
        self.inner()?.add(key, amount, ends).await
    }

    async fn sweep(&self, now: Millis, limit: u32) -> Result<u32, KeyValueError> {
        self.inner()?.sweep(now, limit).await
    }
}

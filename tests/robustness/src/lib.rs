//! A world in one process whose database and store fail when they are told to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::rc::Rc;

use edgekeep_core::app::App;
use edgekeep_core::functions;
use edgekeep_core::http::{BodyError, HeaderSource, Incoming, Response};
use edgekeep_core::port::{
    self, DatabaseError, Dialect, EntropyError, KeyValueError, Level, Missing, OutboundError,
    OutboundRequest, OutboundResponse,
};
use edgekeep_core::sql::{Row, Statement, SystemQuery};
use edgekeep_core::time::Millis;
use edgekeep_native::{Database, Memory, Platform, Wakes};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

/// What the database does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Works.
    None,
    /// The nth call from now (from 1) is lost on its way there.
    Before(u32),
    /// The nth call from now is done, but its answer is lost: what D1's clients must expect.
    After(u32),
    /// Every call fails.
    Down,
    /// No call ever answers.
    Hangs,
    /// There is no binding.
    Missing,
}

/// The world: platform, faults, and what was logged.
#[derive(Clone)]
pub struct World {
    app: Rc<App>,
    inner: Platform,
    database: Rc<FaultyDatabase>,
    key_value: Rc<FaultyStore>,
    lines: Rc<RefCell<Vec<String>>>,
    network: Rc<Network>,
    woken: Rc<RefCell<UnboundedReceiver<String>>>,
}

/// The outside: keeps what was sent to it and answers what it was told to; the real one until
/// it was told.
pub struct Network {
    inner: Platform,
    sent: RefCell<Vec<OutboundRequest>>,
    answer: RefCell<Option<Result<OutboundResponse, OutboundError>>>,
    /// Answers of single places, by how their URL ends; these come first.
    places: RefCell<BTreeMap<&'static str, String>>,
}

impl port::Outbound for Network {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let body = {
            let places = self.places.borrow();
            let place = places.iter().find(|(end, _)| request.url.ends_with(*end));
            place.map(|(_, body)| body.clone().into_bytes())
        };
        if let Some(body) = body {
            self.sent.borrow_mut().push(request);
            return Ok(OutboundResponse { status: 200, body });
        }
        let told = self.answer.borrow().clone();
        let Some(answer) = told else {
            return port::Platform::outbound(&self.inner).send(request).await;
        };
        self.sent.borrow_mut().push(request);
        answer
    }
}

pub struct FaultyDatabase {
    inner: Platform,
    fault: Cell<Fault>,
}

pub struct FaultyStore {
    inner: Platform,
    down: Cell<bool>,
}

/// What makes a test server one that production accepts.
pub const PRODUCTION: [(&str, &str); 18] = [
    ("ENVIRONMENT", "production"),
    ("TEST_CLOCK", "false"),
    ("TRUSTED_PROXIES", ""),
    ("EMAIL_PROVIDER", "resend"),
    ("RESEND_API_KEY", "re_M7yGz2WqkT4vXcB9hR1sLd"),
    ("EMAIL_FROM", "noreply@acme.test"),
    ("GATEWAY_URL", "https://api.acme.test"),
    ("FRONTEND_URL", "https://app.acme.test"),
    ("OAUTH_PROVIDERS", ""),
    ("JWT_SECRET", "q1Zl8TjVnB5xWc2RyUo7KmPd4GhSf9Ae"),
    ("JWT_REFRESH_SECRET", "w2Xk9UiYmN6zVb3TtRp8LqJs5FgDh0Ce"),
    ("SERVICE_JWT_SECRET", "e3Cj0OhPlM7aBv4YrEu9KwHd6SfGi1Qx"),
    ("JWT_OLD_SECRETS", ""),
    ("JWT_REFRESH_OLD_SECRETS", ""),
    ("SERVICE_JWT_OLD_SECRETS", ""),
    ("METRICS_TOKEN", "u8Rc5YnBvK3xMq9WtLz2HpJd7SgFe6Ax"),
    ("AUDIT_SECRET", "t7Nb2XkLqV5oZr8WsPy1JmHc4UeGd9Fi"),
    ("STRIPE_WEBHOOK_SECRET", "whsec_r4Vh1IgAkL8sNc5UeWq0JyTf"),
];

/// The variables of a test server, with changes.
pub fn variables(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let file = include_str!("../../acceptance/vars");
    let lines = file.lines().filter_map(|line| line.split_once('='));
    let mut all: BTreeMap<String, String> = lines
        .filter(|(name, _)| !name.starts_with('#'))
        .map(|(n, v)| (n.to_owned(), v.trim_matches('\'').to_owned()))
        .collect();
    all.insert("LOG_LEVEL".to_owned(), "error".to_owned());
    all.insert(
        "RATE_LIMITS".to_owned(),
        "read=1000000,write=1000000,ingest=1000000,auth=1000000".to_owned(),
    );
    all.extend(
        changes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    all
}

fn app(changes: &[(&str, &str)]) -> App {
    let variables = variables(changes);
    App::new(|name| variables.get(name).cloned())
}

impl World {
    /// A fresh world on SQLite in memory.
    pub async fn new(changes: &[(&str, &str)]) -> Self {
        let app = app(changes);
        let database = Database::open("sqlite::memory:")
            .await
            .expect("SQLite opens");
        let (wakes, woken) = Wakes::channel();
        // The world's own app stands before this one.
        let inner = Platform::new(App::new(|_| None), database, wakes);
        let fault = Cell::new(Fault::None);
        Self {
            app: Rc::new(app),
            database: Rc::new(FaultyDatabase {
                inner: inner.clone(),
                fault,
            }),
            key_value: Rc::new(FaultyStore {
                inner: inner.clone(),
                down: Cell::new(false),
            }),
            network: Rc::new(Network {
                inner: inner.clone(),
                sent: RefCell::default(),
                answer: RefCell::default(),
                places: RefCell::default(),
            }),
            lines: Rc::default(),
            inner,
            woken: Rc::new(RefCell::new(woken)),
        }
    }

    /// Another instance, with these changes to the variables, on the same database, store and
    /// network.
    #[must_use]
    pub fn with(&self, changes: &[(&str, &str)]) -> Self {
        Self {
            app: Rc::new(app(changes)),
            ..self.clone()
        }
    }

    /// The job of the oldest message in the queue, which nobody else reads.
    pub fn woken(&self) -> Option<String> {
        self.woken.borrow_mut().try_recv().ok()
    }

    /// How many of the log's lines are of that event.
    pub fn logged(&self, event: &str) -> usize {
        self.lines_of(event).len()
    }

    /// The log's lines of that event.
    pub fn lines_of(&self, event: &str) -> Vec<Value> {
        let lines = self.lines.borrow();
        let parsed = lines
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok());
        let parsed = parsed.filter(|line: &Value| line["event"] == event);
        parsed.collect()
    }

    pub fn set(&self, fault: Fault) {
        self.database.fault.set(fault);
    }

    /// Whether the planned fault has happened.
    pub fn happened(&self) -> bool {
        self.database.fault.get() == Fault::None
    }

    pub fn key_value_down(&self, down: bool) {
        self.key_value.down.set(down);
    }

    /// Runs a statement of the test's own, for what no route does, or cannot show.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn sql(&self, query: &'static SystemQuery, params: &[&str]) -> Vec<Row> {
        let mut statement = query.bind([]);
        statement.params = params.iter().map(|&text| text.into()).collect();
        let database = port::Platform::database(&self.inner).expect("there is a database");
        let rows = port::Database::query(database, &statement).await;
        rows.unwrap_or_else(|error| panic!("{}: {error}", query.query().name))
    }

    /// What the outside answers from now on.
    pub fn outside(&self, answer: Result<(u16, &str), OutboundError>) {
        let answer = answer.map(|(status, body)| OutboundResponse {
            status,
            body: body.as_bytes().to_vec(),
        });
        *self.network.answer.borrow_mut() = Some(answer);
    }

    /// What a place outside answers from now on, by how its URL ends.
    pub fn outside_at(&self, end: &'static str, body: &Value) {
        let mut places = self.network.places.borrow_mut();
        places.insert(end, body.to_string());
    }

    /// What was sent outside since the last call of this.
    pub fn sent_outside(&self) -> Vec<OutboundRequest> {
        self.network.sent.take()
    }

    pub async fn send(&self, call: Call) -> Answer {
        Answer(functions::serve(self, call).await)
    }
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
        if self.fault.get() == Fault::Hangs {
            pending::<()>().await;
        }
        let (before, after) = self.strike();
        if before {
            return Err(lost());
        }
        let database = port::Platform::database(&self.inner).map_err(|_| lost())?;
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

impl port::Platform for World {
    type Database = FaultyDatabase;
    type KeyValue = FaultyStore;
    type Outbound = Network;
    type Queue = Wakes;
    /// Never by itself: a write between two calls would take the fault meant for the second.
    const GATHER: u32 = u32::MAX;

    fn app(&self) -> &App {
        &self.app
    }
    fn database(&self) -> Result<&FaultyDatabase, Missing> {
        match self.database.fault.get() {
            Fault::Missing => Err(Missing("DB")),
            _ => Ok(&self.database),
        }
    }
    fn key_value(&self) -> Option<&FaultyStore> {
        Some(&self.key_value)
    }
    fn outbound(&self) -> &Network {
        &self.network
    }
    fn queue(&self) -> &Wakes {
        self.inner.queue()
    }
    fn now(&self) -> Millis {
        self.inner.now()
    }
    fn random(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.inner.random(bytes)
    }
    fn log(&self, _: Level, line: &str) {
        self.lines.borrow_mut().push(line.to_owned());
    }
    fn sleep(&self, millis: u32) -> impl Future<Output = ()> {
        self.inner.sleep(millis)
    }
    fn defer(&self, work: impl Future<Output = ()> + 'static) {
        self.inner.defer(work);
    }
}

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
        Self {
            method,
            path,
            query,
            ..Self::default()
        }
    }

    pub fn post(target: &str, body: &Value) -> Self {
        let mut call = Self::new("POST", target).header("content-type", "application/json");
        call.body = body.to_string().into_bytes();
        call
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn header_value(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    }

    /// Comes from this address, and not from 192.0.2.1.
    #[must_use]
    pub fn from(self, address: &str) -> Self {
        self.header("x-test-client", address)
    }

    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }
}

impl HeaderSource for Call {
    fn header(&self, name: &str) -> Option<String> {
        self.header_value(name)
    }
}

impl Incoming for Call {
    fn method(&self) -> &str {
        &self.method
    }
    fn path(&self) -> &str {
        &self.path
    }
    fn query(&self) -> &str {
        &self.query
    }
    fn client_address(&self) -> Option<String> {
        // Tests say where a request comes from by a header that no adapter reads.
        let said = self.header_value("x-test-client");
        Some(said.unwrap_or_else(|| "192.0.2.1".to_owned()))
    }
    async fn body(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        if self.body.len() > limit {
            Err(BodyError::TooLarge)
        } else {
            Ok(self.body.clone())
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer(pub Response);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.status
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.0.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    #[track_caller]
    pub fn data(&self, status: u16) -> Value {
        assert_eq!(
            self.status(),
            status,
            "{}",
            String::from_utf8_lossy(&self.0.body)
        );
        self.json()["data"].clone()
    }
}

/// A signed-in founder in a world.
pub struct Founder {
    pub email: String,
    pub access: String,
    pub refresh: String,
    pub tenant: String,
}

pub const PASSWORD: &str = "correct horse battery staple";

pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

impl World {
    pub async fn mails(&self, email: &str) -> Vec<Value> {
        let mails = self
            .send(Call::new("GET", &format!("/api/v1/dev/mailbox?to={email}")))
            .await;
        mails.data(200).as_array().expect("a list").clone()
    }

    pub async fn register(&self, email: &str) -> Answer {
        let body = json!({"email": email, "password": PASSWORD});
        self.send(Call::post("/api/v1/auth/register", &body)).await
    }

    pub async fn login(&self, email: &str) -> Answer {
        let body = json!({"email": email, "password": PASSWORD});
        self.send(Call::post("/api/v1/auth/login", &body)).await
    }

    pub async fn verify(&self, email: &str) -> Answer {
        let link = text(&self.mails(email).await[0]["link"]);
        let token = link.split("token=").nth(1).expect("a token").to_owned();
        self.send(Call::post(
            "/api/v1/auth/verify",
            &json!({ "token": token }),
        ))
        .await
    }

    pub async fn founder(&self, email: &str) -> Founder {
        self.register(email).await.data(201);
        self.verify(email).await.data(200);
        let tokens = self.login(email).await.data(200);
        let access = text(&tokens["access_token"]);
        let me = self
            .send(Call::new("GET", "/api/v1/auth/me").bearer(&access))
            .await
            .data(200);
        let (refresh, tenant) = (text(&tokens["refresh_token"]), text(&me["tenant"]["id"]));
        Founder {
            email: email.to_owned(),
            access,
            refresh,
            tenant,
        }
    }

    pub async fn api_key(&self, founder: &Founder) -> String {
        let body = json!({"name": "k", "scopes": ["usage:write", "usage:read", "jobs"]});
        let call = Call::post("/api/v1/api-keys", &body).bearer(&founder.access);
        text(&self.send(call).await.data(201)["key"])
    }
}

/// Runs a test on one thread, as the platforms do.
pub fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, test());
}

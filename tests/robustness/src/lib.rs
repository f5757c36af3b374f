//! A world in one process whose database and store fail when they are told to.

mod call;
mod counting;
mod people;
mod ports;
mod variables;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use edgekeep_core::app::App;
use edgekeep_core::functions;
use edgekeep_core::port::{
    self, Again, EntropyError, Level, Missing, OutboundError, OutboundRequest, OutboundResponse,
};
use edgekeep_core::sql::{Row, SystemQuery};
use edgekeep_core::time::Millis;
use edgekeep_fake_stripe::Stripe;
use edgekeep_native::{Database, Platform, Wakes};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;

pub use call::{Answer, Call};
pub use counting::Counting;
pub use people::{Founder, PASSWORD, text};
pub use ports::{Fault, FaultyDatabase, FaultyStore, Network};
pub use variables::{PRODUCTION, variables};

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

impl World {
    /// A fresh world on SQLite in memory.
    pub async fn new(changes: &[(&str, &str)]) -> Self {
        let app = variables::app(changes);
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
                gate: Notify::new(),
                ran: Cell::default(),
            }),
            key_value: Rc::new(FaultyStore {
                inner: inner.clone(),
                down: Cell::new(false),
            }),
            network: Rc::new(Network {
                inner: inner.clone(),
                sent: RefCell::default(),
                answer: RefCell::default(),
                delay: Cell::default(),
                again: RefCell::default(),
                places: RefCell::default(),
                stripe: RefCell::default(),
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
            app: Rc::new(variables::app(changes)),
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

    /// Calls of the database and statements in them, since the last call of this.
    pub fn ran(&self) -> (usize, usize) {
        self.database.ran.take()
    }

    /// Runs `meanwhile` while the nth database call of `work` waits for it.
    pub async fn in_between<T>(
        &self,
        call: u32,
        work: impl Future<Output = T>,
        meanwhile: impl Future<Output = ()>,
    ) -> T {
        self.set(Fault::Waits(call));
        let other = async {
            while !self.happened() {
                tokio::task::yield_now().await;
            }
            meanwhile.await;
            self.database.gate.notify_one();
        };
        tokio::join!(work, other).0
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
            again: Again::default(),
        });
        *self.network.answer.borrow_mut() = Some(answer);
    }

    /// What the next answers of the outside say about another attempt, in their headers.
    pub fn outside_says(&self, again: &[Again]) {
        *self.network.again.borrow_mut() = again.iter().rev().copied().collect();
    }

    /// How long the outside takes for its answer, in milliseconds.
    pub fn outside_takes(&self, millis: u32) {
        self.network.delay.set(millis);
    }

    /// What a place outside answers from now on, by how its URL ends.
    pub fn outside_at(&self, end: &'static str, body: &Value) {
        let mut places = self.network.places.borrow_mut();
        places.insert(end, body.to_string());
    }

    /// Plays Stripe at `https://stripe.test`, or does something with who plays it.
    pub fn stripe<T>(&self, with: impl FnOnce(&mut Stripe) -> T) -> T {
        let mut stripe = self.network.stripe.borrow_mut();
        let now = port::Platform::now(self).seconds();
        let stripe = stripe.get_or_insert_with(|| Stripe::new("r"));
        stripe.now = now;
        with(stripe)
    }

    /// What was sent outside since the last call of this.
    pub fn sent_outside(&self) -> Vec<OutboundRequest> {
        self.network.sent.take()
    }

    pub async fn send(&self, call: Call) -> Answer {
        Answer(functions::serve(self, call).await)
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

/// Runs a test on one thread, as the platforms do.
pub fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, test());
}

//! The ports, bundled for one request, cron tick or batch of messages.

use core::cell::OnceCell;
use core::future::Future;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use std::rc::Rc;

use edgekeep_core::app::App;
use edgekeep_core::port::{EntropyError, Level, Missing, Platform};
use edgekeep_core::time::Millis;

use js_sys::futures::future_to_promise;
use wasm_bindgen::{JsCast as _, JsValue};
use worker::{Context, Env, ScheduleContext};

use crate::database::D1;
use crate::glue::{self, Bindings};
use crate::key_value::Kv;
use crate::outbound::{Fetch, JobsQueue};

thread_local! {
    /// Variables and secrets change only with a deployment, which starts new isolates. What lives as
    /// long as the isolate is never dropped, and no function carries the kilobyte of code for that.
    static APP: OnceCell<&'static App> = const { OnceCell::new() };
}

/// The ports on Cloudflare Workers. A clone is another handle to the same request.
#[derive(Debug, Clone)]
pub struct Workers(Rc<Parts>);

#[derive(Debug)]
struct Parts {
    app: &'static App,
    bindings: Rc<Bindings>,
    lifetime: Lifetime,
    // Bindings are looked up when they are first used: each costs a call into JavaScript.
    database: OnceCell<Option<D1>>,
    key_value: OnceCell<Option<Kv>>,
    queue: JobsQueue,
}

/// What keeps the isolate working after the answer.
#[derive(Debug)]
enum Lifetime {
    Request(Context),
    Schedule(ScheduleContext),
}

impl Workers {
    /// The ports for a request or a batch of messages.
    pub fn new(env: Env, context: Context) -> Self {
        Self::living(env, Lifetime::Request(context))
    }

    /// The ports for a cron tick.
    pub fn scheduled(env: Env, context: ScheduleContext) -> Self {
        Self::living(env, Lifetime::Schedule(context))
    }

    fn living(env: Env, lifetime: Lifetime) -> Self {
        let app = APP.with(|app| *app.get_or_init(|| Box::leak(Box::new(load(&env)))));
        let bindings: Rc<Bindings> = Rc::new(env.unchecked_into());
        Self(Rc::new(Parts {
            app,
            lifetime,
            database: OnceCell::new(),
            key_value: OnceCell::new(),
            queue: JobsQueue(Rc::clone(&bindings)),
            bindings,
        }))
    }
}

fn load(env: &Env) -> App {
    App::new(|name| {
        let value = js_sys::Reflect::get(env, &JsValue::from_str(name)).ok()?;
        // Wrangler passes `flag = true` and `size = 1` on as they are, not as text. JavaScript knows how to
        // write numbers; Rust's way to do it is 7 KB in every function.
        if value.as_bool().is_some() || value.as_f64().is_some() {
            return Some(value.unchecked_ref::<js_sys::Object>().to_string().into());
        }
        value.as_string()
    })
}

/// A binding, unless the Worker has none of that name.
fn bound<T>(binding: JsValue, wrap: impl FnOnce(JsValue) -> T) -> Option<T> {
    if binding.is_undefined() || binding.is_null() {
        None
    } else {
        Some(wrap(binding))
    }
}

impl Platform for Workers {
    type Database = D1;
    type KeyValue = Kv;
    type Outbound = Fetch;
    type Queue = JobsQueue;

    fn app(&self) -> &App {
        self.0.app
    }

    fn database(&self) -> Result<&D1, Missing> {
        let found = self
            .0
            .database
            .get_or_init(|| bound(self.0.bindings.database(), D1));
        found.as_ref().ok_or(Missing("DB"))
    }

    fn key_value(&self) -> Option<&Kv> {
        self.0
            .key_value
            .get_or_init(|| bound(self.0.bindings.key_value(), Kv))
            .as_ref()
    }

    fn outbound(&self) -> &Fetch {
        &Fetch
    }

    fn queue(&self) -> &JobsQueue {
        &self.0.queue
    }

    fn now(&self) -> Millis {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole milliseconds, far below 2^53"
        )]
        Millis(js_sys::Date::now() as i64)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|_| EntropyError)
    }

    fn log(&self, level: Level, line: &str) {
        match level {
            Level::Debug => glue::log_debug(line),
            Level::Info => glue::log_info(line),
            Level::Warn => glue::log_warn(line),
            Level::Error => glue::log_error(line),
        }
    }

    async fn sleep(&self, millis: u32) {
        // A timer that cannot be set has run out.
        let _ = glue::sleep(millis).await;
    }

    fn defer(&self, work: impl Future<Output = ()> + 'static) {
        // Boxed, so that promises are made by one piece of code and not by one for each caller.
        let work: Pin<Box<dyn Future<Output = ()>>> = Box::pin(work);
        match &self.0.lifetime {
            Lifetime::Request(context) => {
                let promise = future_to_promise(AssertUnwindSafe(async {
                    work.await;
                    Ok(JsValue::UNDEFINED)
                }));
                // Not `Context::wait_until`, which panics when the request is over already;
                // then the work runs as long as the isolate happens to live.
                let _ = context.as_ref().wait_until(&promise);
            }
            Lifetime::Schedule(context) => context.wait_until(work),
        }
    }
}

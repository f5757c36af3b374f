//! All functions in one list: who owns a path, and every route and statement of the product.

use crate::auth::{Accounts, Auth, Exchange, Mfa, Oauth, Profile};
use crate::billing::Billing;
use crate::health::Health;
use crate::http::{Found, Function, Incoming, Response, RouteInfo, find, serve as serve_one};
use crate::invoices::Invoices;
use crate::jobs::Jobs;
use crate::meters::Meters;
use crate::organizations::{Members, Organizations};
use crate::payments::Payments;
use crate::port::Platform;
use crate::reference::Reference;
use crate::resources::Resources;
use crate::scheduler::Scheduler;
use crate::sql::Query;
use crate::stripe::StripeWebhook;
use crate::usage::Usage;
use crate::{
    audit, auth, billing, guard, health, invoices, jobs, mail, meters, metrics, organizations,
    outbox, payments, resources, scheduler, stripe, tenancy, tracking, trials, usage,
};

/// Runs a piece of code for every function; add a function here and it is everywhere.
macro_rules! for_each_function {
    ($macro:ident) => {
        $macro!(
            Auth,
            Accounts,
            Profile,
            Mfa,
            Oauth,
            Exchange,
            Organizations,
            Members,
            Resources,
            Usage,
            Meters,
            Billing,
            Invoices,
            Payments,
            StripeWebhook,
            Jobs,
            Reference,
            Health,
            Scheduler
        )
    };
}

/// The function whose table has this path, whatever the method. What nobody has goes to health,
/// as in spin.toml: one function answers and counts it.
pub fn owner(path: &str) -> &'static str {
    macro_rules! ask {
        ($($function:ident),*) => {
            $( if owns::<$function>(path) { return $function::NAME; } )*
        };
    }
    for_each_function!(ask);
    Health::NAME
}

fn owns<F: Function>(path: &str) -> bool {
    !matches!(find(F::ROUTES, "GET", path), Found::Nothing)
}

/// Names of all functions.
pub fn names() -> Vec<&'static str> {
    macro_rules! collect {
        ($($function:ident),*) => { vec![$( $function::NAME ),*] };
    }
    for_each_function!(collect)
}

/// Every route with the name of its function.
pub fn routes() -> Vec<(&'static str, &'static RouteInfo)> {
    fn of<F: Function>() -> impl Iterator<Item = (&'static str, &'static RouteInfo)> {
        F::ROUTES.iter().map(|route| (F::NAME, &route.info))
    }
    macro_rules! collect {
        ($($function:ident),*) => {{
            let mut all = Vec::new();
            $( all.extend(of::<$function>()); )*
            all
        }};
    }
    for_each_function!(collect)
}

/// Every statement of the product.
pub fn queries() -> Vec<&'static Query> {
    let mut lists = vec![
        usage::QUERIES,
        invoices::QUERIES,
        meters::QUERIES,
        meters::REQUESTS,
        billing::QUERIES,
        payments::QUERIES,
        stripe::QUERIES,
        jobs::QUERIES,
        health::QUERIES,
        mail::QUERIES,
        metrics::QUERIES,
        tracking::QUERIES,
        tenancy::QUERIES,
        tenancy::RESOLVE_QUERIES,
        trials::QUERIES,
        guard::exact_limit::QUERIES,
        guard::idempotency::QUERIES,
        guard::identity::QUERIES,
        guard::lockout::QUERIES,
    ];
    lists.extend(auth::QUERIES);
    lists.extend(audit::ALL_QUERIES);
    lists.extend(organizations::QUERIES);
    lists.extend(outbox::QUERIES);
    lists.extend(resources::QUERIES);
    lists.extend(scheduler::QUERIES);
    lists.into_iter().flatten().copied().collect()
}

/// Answers a request by the function that owns its path: all functions in one process.
pub async fn serve<P: Platform, I: Incoming>(platform: &P, incoming: I) -> Response {
    macro_rules! dispatch {
        ($($function:ident),*) => {
            $( if owns::<$function>(incoming.path()) {
                return serve_one::<$function, P, I>(platform, incoming).await;
            } )*
        };
    }
    for_each_function!(dispatch);
    serve_one::<Health, P, I>(platform, incoming).await
}

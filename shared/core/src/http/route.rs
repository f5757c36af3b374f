//! Routes as data: one entry says everything about a route, and everything else is read from
//! there: routing, 405, access, limits, labels, documents.

use super::message::Method;
use crate::config::Feature;
use crate::guard::rate_limit::RateClass;
use crate::tenancy::{ApiScope, Permission, PlanFeature};

/// Who may call a route. There is no default: an entry without a policy does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// A signed-in member whose role holds the permission.
    Member(Permission),
    /// An API key with the scope, whose owner holds the permission.
    Key(Permission, ApiScope),
    /// A member with the permission, or an API key with the scope whose owner holds it.
    MemberOrKey(Permission, ApiScope),
    /// Another service, by a service token for this audience.
    Service,
    /// Another service, as above, or whoever holds `METRICS_TOKEN`.
    Scraper,
    /// The handler verifies a signature over the body.
    Signed,
    /// Anyone, and only where `ENVIRONMENT` is development or test; elsewhere it does not exist.
    Development,
}

/// Whether any route of a table takes access tokens. A function without one has no code that verifies them.
pub(super) const fn takes_members<A>(routes: &[Route<A>]) -> bool {
    let mut rest = routes;
    while let [route, others @ ..] = rest {
        if matches!(
            route.info.access,
            Access::Member(_) | Access::MemberOrKey(..)
        ) {
            return true;
        }
        rest = others;
    }
    false
}

/// Whether a route takes an `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// Repeating it is harmless, or it has keys of its own.
    None,
    /// With a key, a repetition gives the first answer again.
    Optional,
    /// Without a key it is refused.
    Required,
}

/// One entry of a function's table.
#[derive(Debug)]
pub struct Route<A: 'static> {
    /// What holds for every function's routes alike.
    pub info: RouteInfo,
    /// Which handler answers.
    pub action: A,
}

/// The part of a route that does not depend on its function.
#[derive(Debug, Clone, Copy)]
pub struct RouteInfo {
    /// Stable name: metric label and log field.
    pub name: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path; a segment that starts with `:` takes any text.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// How often.
    pub rate: RateClass,
    /// Whether it takes an `Idempotency-Key`.
    pub idempotency: Idempotency,
    /// Content types of its body besides `application/json`; empty for JSON alone.
    pub media_types: &'static [&'static str],
    /// Whether it needs a sound configuration; only probes do without.
    pub needs_config: bool,
    /// Whether the log keeps silent of its successes, because somebody asks all the time.
    pub quiet: bool,
    /// By what somebody signs in here: the label `method` of `auth_attempts_total`.
    pub signs_in: Option<&'static str>,
    /// The feature that it belongs to: it is gone while that is off.
    pub feature: Option<Feature>,
    /// What the tenant's plan must have, besides the caller's own right.
    pub plan: Option<PlanFeature>,
    /// Whether it changes anything. A `GET` that does (a link in a mail) has no `HEAD`, which
    /// mail scanners send and which must be safe (RFC 9110, section 9.2.1).
    pub acts: bool,
}

impl RouteInfo {
    const fn new(
        name: &'static str,
        method: Method,
        path: &'static str,
        access: Access,
        rate: RateClass,
    ) -> Self {
        Self {
            name,
            method,
            path,
            access,
            rate,
            idempotency: Idempotency::None,
            media_types: &[],
            needs_config: true,
            quiet: false,
            signs_in: None,
            feature: None,
            plan: None,
            acts: !matches!(method, Method::Get),
        }
    }

    /// What stands for the route in work that no request asked for.
    pub const fn background(name: &'static str, path: &'static str) -> Self {
        Self::new(
            name,
            Method::Post,
            path,
            Access::Service,
            RateClass::Unlimited,
        )
    }
}

impl<A> Route<A> {
    /// An entry for reading.
    pub const fn get(path: &'static str, name: &'static str, action: A, access: Access) -> Self {
        Self::new(Method::Get, path, name, action, access, RateClass::Read)
    }

    /// An entry for creating or acting.
    pub const fn post(path: &'static str, name: &'static str, action: A, access: Access) -> Self {
        Self::new(Method::Post, path, name, action, access, RateClass::Write)
    }

    /// An entry for changing in part.
    pub const fn patch(path: &'static str, name: &'static str, action: A, access: Access) -> Self {
        Self::new(Method::Patch, path, name, action, access, RateClass::Write)
    }

    /// An entry for replacing.
    pub const fn put(path: &'static str, name: &'static str, action: A, access: Access) -> Self {
        Self::new(Method::Put, path, name, action, access, RateClass::Write)
    }

    /// An entry for removing.
    pub const fn delete(path: &'static str, name: &'static str, action: A, access: Access) -> Self {
        Self::new(Method::Delete, path, name, action, access, RateClass::Write)
    }

    const fn new(
        method: Method,
        path: &'static str,
        name: &'static str,
        action: A,
        access: Access,
        rate: RateClass,
    ) -> Self {
        let info = RouteInfo::new(name, method, path, access, rate);
        Self { info, action }
    }

    /// Is asked for all the time, so its successes are logged for debugging only.
    #[must_use]
    pub const fn quiet(mut self) -> Self
    where
        A: Copy,
    {
        self.info.quiet = true;
        self
    }

    /// Somebody signs in here, by that method.
    #[must_use]
    pub const fn signs_in(mut self, method: &'static str) -> Self
    where
        A: Copy,
    {
        self.info.signs_in = Some(method);
        self
    }

    /// Belongs to a feature that may be turned off.
    #[must_use]
    pub const fn feature(mut self, feature: Feature) -> Self
    where
        A: Copy,
    {
        self.info.feature = Some(feature);
        self
    }

    /// Another rate class than its method suggests.
    #[must_use]
    pub const fn rate(mut self, rate: RateClass) -> Self
    where
        A: Copy,
    {
        self.info.rate = rate;
        self
    }

    /// Takes an `Idempotency-Key`.
    #[must_use]
    pub const fn idempotency(mut self, idempotency: Idempotency) -> Self
    where
        A: Copy,
    {
        self.info.idempotency = idempotency;
        self
    }

    /// Only on plans that have it.
    #[must_use]
    pub const fn plan(mut self, feature: PlanFeature) -> Self
    where
        A: Copy,
    {
        self.info.plan = Some(feature);
        self
    }

    /// A `GET` that changes something.
    #[must_use]
    pub const fn acts(mut self) -> Self
    where
        A: Copy,
    {
        self.info.acts = true;
        self
    }

    /// Answers even where the configuration is refused.
    #[must_use]
    pub const fn without_config(mut self) -> Self
    where
        A: Copy,
    {
        self.info.needs_config = false;
        self
    }

    /// Takes these content types besides `application/json`.
    #[must_use]
    pub const fn media_types(mut self, types: &'static [&'static str]) -> Self
    where
        A: Copy,
    {
        self.info.media_types = types;
        self
    }
}

/// What a path and method lead to.
#[derive(Debug)]
pub enum Found<'r, A: 'static> {
    /// This entry, with the text of its `:` segments.
    Route(&'static Route<A>, Vec<&'r str>),
    /// The path exists with other methods: the value of `Allow`.
    OtherMethods(String),
    /// No such path.
    Nothing,
}

/// Looks a request up in a table. The first entry wins, so fixed paths stand before those
/// with `:`.
pub fn find<'r, A>(table: &'static [Route<A>], method: &str, path: &'r str) -> Found<'r, A> {
    let wanted = Method::parse(method);
    let mut allowed: Vec<&str> = Vec::new();
    let mut head = false;
    for route in table {
        let Some(params) = matches(route.info.path, path) else {
            continue;
        };
        // HEAD runs a GET's handler, so it only gets to handlers that change nothing.
        let safe = !(method == "HEAD" && route.info.acts);
        if Some(route.info.method) == wanted && safe {
            return Found::Route(route, params);
        }
        if !allowed.contains(&route.info.method.name()) {
            allowed.push(route.info.method.name());
        }
        head |= route.info.method == Method::Get && !route.info.acts;
    }
    if allowed.is_empty() {
        return Found::Nothing;
    }
    if head {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    Found::OtherMethods(allowed.join(", "))
}

/// The texts of the `:` segments when `path` fits `pattern`.
fn matches<'r>(pattern: &str, path: &'r str) -> Option<Vec<&'r str>> {
    if pattern == path {
        return Some(Vec::new());
    }
    let mut params = Vec::new();
    let mut given = path.split('/');
    for wanted in pattern.split('/') {
        let segment = given.next()?;
        if wanted.starts_with(':') && !segment.is_empty() {
            params.push(segment);
        } else if wanted != segment {
            return None;
        }
    }
    if given.next().is_some() {
        None
    } else {
        Some(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: &[Route<u8>] = &[
        Route::get("/jobs", "jobs.list", 1, Access::Public),
        Route::post("/jobs", "jobs.submit", 2, Access::Public),
        Route::get("/jobs/:id", "jobs.get", 3, Access::Public),
        Route::get("/jobs/:id/result", "jobs.result", 4, Access::Public),
        Route::get("/link", "link", 5, Access::Public).acts(),
    ];

    fn action(method: &str, path: &'static str) -> Option<(u8, Vec<&'static str>)> {
        match find(TABLE, method, path) {
            Found::Route(route, params) => Some((route.action, params)),
            _ => None,
        }
    }

    #[test]
    fn tables_for_members_are_known_by_any_route() {
        assert!(!takes_members(TABLE));
        let open = || Route::get("/a", "a", 1, Access::Public);
        let member = Access::Member(Permission::AuditRead);
        let both = Access::MemberOrKey(Permission::AuditRead, ApiScope::UsageRead);
        for access in [member, both] {
            assert!(takes_members(&[open(), Route::get("/b", "b", 2, access)]));
        }
        assert!(!takes_members(&[
            open(),
            Route::get("/b", "b", 2, Access::Service)
        ]));
    }

    #[test]
    fn paths_are_matched_whole() {
        assert_eq!(action("GET", "/jobs/7/result"), Some((4, vec!["7"])));
        assert_eq!(action("HEAD", "/jobs"), Some((1, vec![])));
        for path in [
            "/jobs/",
            "/jobs//result",
            "/jobs/7/",
            "/jobs/7/result/x",
            "jobs",
            "",
        ] {
            assert_eq!(action("GET", path), None, "{path}");
        }
    }

    #[test]
    fn head_never_gets_to_what_changes_something() {
        assert_eq!(action("GET", "/link"), Some((5, vec![])));
        let Found::OtherMethods(allow) = find(TABLE, "HEAD", "/link") else {
            panic!()
        };
        assert_eq!(allow, "GET, OPTIONS");
        for route in TABLE {
            assert_eq!(route.info.acts, matches!(route.action, 2 | 5));
        }
    }

    #[test]
    fn other_methods_are_listed() {
        let Found::OtherMethods(allow) = find(TABLE, "BREW", "/jobs") else {
            panic!()
        };
        assert_eq!(allow, "GET, POST, HEAD, OPTIONS");
    }
}

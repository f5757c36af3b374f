//! docs/roles.md

use edgekeep_core::functions;
use edgekeep_core::guard::rate_limit::{Limits, Policy, RateClass};
use edgekeep_core::http::{Access, Idempotency, RouteInfo};
use edgekeep_core::tenancy::{ApiScope, Permission, Role};

use crate::Page;
use crate::table::{code, table};

pub(crate) fn page() -> Page {
    let routes: Vec<_> = functions::routes()
        .into_iter()
        .map(|(_, route)| route)
        .collect();
    let mut head = vec!["route", "policy"];
    head.extend(Role::ALL.map(Role::name));
    head.extend(ApiScope::ALL.map(ApiScope::name));
    head.push("service");
    let matrix: Vec<_> = routes.iter().map(|route| who(route)).collect();
    let rest: Vec<_> = functions::routes()
        .into_iter()
        .map(|(function, route)| what(function, route))
        .collect();
    let mut permission_head = vec!["permission"];
    permission_head.extend(Role::ALL.map(Role::name));
    permission_head.push("what for");
    let permissions: Vec<_> = Permission::ALL
        .iter()
        .map(|permission| held(*permission))
        .collect();
    let body = [
        INTRODUCTION.to_owned(),
        table(&head, &matrix),
        KEYS.to_owned(),
        "## Permissions".to_owned(),
        PERMISSIONS.to_owned(),
        table(&permission_head, &permissions),
        "## The rest of each route".to_owned(),
        "Rate limits are the defaults a minute and caller ([rate-limiting.md](rate-limiting.md));\n\
         the name is the label in logs."
            .to_owned(),
        table(
            &[
                "route",
                "name",
                "function",
                "rate class",
                "Idempotency-Key",
                "feature",
                "plan with",
            ],
            &rest,
        ),
    ];
    let source = "the route tables in shared/core/src/*/routes.rs";
    Page::new("roles.md", "Routes and who may call them", source, &body)
}

const SCOPES: usize = ApiScope::ALL.len();

const INTRODUCTION: &str = "\
`yes` means the caller is let in. Members are signed-in users, judged by the role they have in the
database now, not by the one in their token. API keys are judged by their scopes and by the role of the
user who made them.";

const KEYS: &str = "\
- *service token*: made for the function that owns the route, and for no other.
- *`METRICS_TOKEN`*: a secret of the configuration, for whoever scrapes ([metrics.md](metrics.md)).
- *signature*: the handler verifies a signature over the raw body.
- *development*: exists only where `ENVIRONMENT` is development or test; elsewhere it is a 404.
- A key's scope is an upper bound: the key's owner must also hold the permission, in the role they have
  now. A key ends with its owner's account and membership, and with the tenant.";

const PERMISSIONS: &str = "\
A role holds what the roles below it hold: founder, admin, agent, client. A role that an organization
makes holds a part of what one of them does. A 403 names the missing permission in `error.permission`.
Both, and what a role may do to one resource, a colleague's job for instance, are in
[organizations.md](organizations.md).";

/// The permission with the roles that hold it.
fn held(permission: Permission) -> Vec<String> {
    let holds = Role::ALL.map(|role| if role.allows(permission) { "yes" } else { "" });
    let mut cells = vec![code(permission.name())];
    cells.extend(holds.map(str::to_owned));
    cells.push(permission.meaning().to_owned());
    cells
}

/// The route with the answer for every kind of caller.
fn who(route: &RouteInfo) -> Vec<String> {
    let mut cells = vec![path(route), policy(route.access)];
    let member = |permission: Permission| Role::ALL.map(|role| role.allows(permission));
    let key = |scope: ApiScope| ApiScope::ALL.map(|known| known == scope);
    let (roles, scopes, service) = match route.access {
        Access::Public => ([true; 4], [true; SCOPES], true),
        Access::Member(permission) => (member(permission), [false; SCOPES], false),
        Access::Key(_, scope) => ([false; 4], key(scope), false),
        Access::MemberOrKey(permission, scope) => (member(permission), key(scope), false),
        Access::Service | Access::Scraper => ([false; 4], [false; SCOPES], true),
        Access::Signed | Access::Development => ([false; 4], [false; SCOPES], false),
    };
    let all = roles.into_iter().chain(scopes).chain([service]);
    cells.extend(all.map(|yes| if yes { "yes" } else { "" }.to_owned()));
    cells
}

fn policy(access: Access) -> String {
    match access {
        Access::Public => "anyone".to_owned(),
        Access::Member(permission) => code(permission.name()),
        Access::Key(permission, scope) => {
            let (scope, permission) = (code(scope.name()), code(permission.name()));
            format!("key with {scope}, owner with {permission}")
        }
        Access::MemberOrKey(permission, scope) => {
            let (scope, permission) = (code(scope.name()), code(permission.name()));
            format!("{permission}, or key with {scope}")
        }
        Access::Service => "service token".to_owned(),
        Access::Scraper => "service token or `METRICS_TOKEN`".to_owned(),
        Access::Signed => "signature".to_owned(),
        Access::Development => "development".to_owned(),
    }
}

fn what(function: &str, route: &RouteInfo) -> Vec<String> {
    let key = match route.idempotency {
        Idempotency::None => "",
        Idempotency::Optional => "taken",
        Idempotency::Required => "required",
    };
    vec![
        path(route),
        code(route.name),
        function.to_owned(),
        rate(route.rate),
        key.to_owned(),
        route
            .feature
            .map_or_else(String::new, |feature| code(feature.name())),
        route
            .plan
            .map_or_else(String::new, |plan| code(plan.name())),
    ]
}

fn rate(class: RateClass) -> String {
    let shown = |policy: &Policy| {
        let limit = Limits::default().of(*policy).limit;
        format!("{} ({limit})", policy.name())
    };
    let all: Vec<_> = class.policies().iter().map(shown).collect();
    if all.is_empty() {
        "unlimited".to_owned()
    } else {
        all.join(", ")
    }
}

fn path(route: &RouteInfo) -> String {
    code(&format!("{} {}", route.method.name(), route.path))
}

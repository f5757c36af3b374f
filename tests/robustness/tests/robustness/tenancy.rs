//! A function with a rule of its own for which tenant a request is in.

use edgekeep_core::guard::identity::Credential;
use edgekeep_core::http::{
    Access, Context, Function, HeaderSource, Interrupt, Reply, Route, serve,
};
use edgekeep_core::port::Platform;
use edgekeep_core::sql::SystemQuery;
use edgekeep_core::tenancy::{Named, Resolver};
use edgekeep_robustness::{Answer, Call, World, run};
use serde_json::json;

/// Finds the tenant by a header of a proxy in front, and by nothing else.
struct BehindProxy;

#[derive(Clone, Copy)]
enum Action {
    Required,
    Optional,
}

fn by_proxy(_: &Credential, headers: &dyn HeaderSource) -> Named {
    headers
        .header("x-customer")
        .map_or(Named::Nothing, Named::Domain)
}

impl Function for BehindProxy {
    type Action = Action;
    const NAME: &'static str = "behind-proxy";
    const ROUTES: &'static [Route<Action>] = &[
        Route::get("/required", "x.required", Action::Required, Access::Public),
        Route::get("/optional", "x.optional", Action::Optional, Access::Public),
    ];
    const TENANT: Resolver = by_proxy;

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        let found = match action {
            Action::Required => Some(cx.require_tenant().await?),
            Action::Optional => cx.optional_tenant().await?,
        };
        let tenant = found.map(|found| found.tenant.as_str().to_owned());
        Ok(Reply::ok(&json!({"tenant": tenant})))
    }
}

static GIVE: SystemQuery = SystemQuery::new(
    "test.give_domain",
    "INSERT INTO tenant_domains (domain, tenant_id, created_at)
    SELECT ?2, m.tenant_id, 1 FROM memberships m JOIN users u ON u.id = m.user_id
    WHERE u.email = ?1",
);

// Rows: L-01 L-02
#[test]
fn a_function_may_have_its_own_rule_for_the_tenant() {
    run(async || {
        let world = World::new(&[]).await;
        let founder = world.founder("f@example.com").await;
        world
            .sql(&GIVE, &[&founder.email, "acme.example.com"])
            .await;
        let ask = async |path: &str, header: &str| {
            let call = Call::new("GET", path).header(header, "acme.example.com");
            Answer(serve::<BehindProxy, World, Call>(&world, call).await)
        };
        for path in ["/required", "/optional"] {
            let found = ask(path, "x-customer").await;
            assert_eq!(found.status(), 200);
            assert_eq!(found.json()["data"]["tenant"], founder.tenant.as_str());
        }
        // The rule of the others is not asked.
        let missing = ask("/required", "host").await;
        assert_eq!(missing.status(), 400);
        assert_eq!(missing.json()["error"]["code"], "TENANT_REQUIRED");
        let none = ask("/optional", "host").await;
        assert_eq!(none.json()["data"]["tenant"], serde_json::Value::Null);
    });
}

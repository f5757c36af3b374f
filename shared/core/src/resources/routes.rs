//! The resources function's table: the same six routes for every resource.

use super::agents::AGENTS;
use super::model::Resource;
use super::projects::PROJECTS;
use super::{change, create, read};
use crate::http::{Access, Context, Function, Idempotency, Interrupt, Reply, Route};
use crate::port::Platform;
use crate::tenancy::{ApiScope, Permission};

/// Projects and agents.
#[derive(Debug)]
pub struct Resources;

/// What a route does to which resource.
#[derive(Debug, Clone, Copy)]
pub struct Action {
    kind: Kind,
    act: Act,
}

/// What the routes do.
#[derive(Debug, Clone, Copy)]
enum Act {
    List,
    Create,
    Get,
    Update,
    Delete,
    Restore,
}

/// Names each resource with its path, its description, and the permission and scope (which have
/// one name) that read and write it.
macro_rules! resources {
    ($( $kind:ident = $name:literal, $resource:ident, $read:ident, $write:ident; )*) => {
        /// The resources.
        #[derive(Debug, Clone, Copy)]
        enum Kind {
            $( $kind, )*
        }

        impl Kind {
            fn resource(self) -> &'static Resource {
                match self {
                    $( Self::$kind => &$resource, )*
                }
            }
        }

        const TABLE: &[Route<Action>] = &[
            $(
                Route::get(
                    concat!("/api/v1/", $name),
                    concat!($name, ".list"),
                    Action { kind: Kind::$kind, act: Act::List },
                    Access::MemberOrKey(Permission::$read, ApiScope::$read),
                ),
                Route::post(
                    concat!("/api/v1/", $name),
                    concat!($name, ".create"),
                    Action { kind: Kind::$kind, act: Act::Create },
                    Access::MemberOrKey(Permission::$write, ApiScope::$write),
                )
                .idempotency(Idempotency::Optional),
                Route::get(
                    concat!("/api/v1/", $name, "/:id"),
                    concat!($name, ".get"),
                    Action { kind: Kind::$kind, act: Act::Get },
                    Access::MemberOrKey(Permission::$read, ApiScope::$read),
                ),
                Route::patch(
                    concat!("/api/v1/", $name, "/:id"),
                    concat!($name, ".update"),
                    Action { kind: Kind::$kind, act: Act::Update },
                    Access::MemberOrKey(Permission::$write, ApiScope::$write),
                ),
                Route::delete(
                    concat!("/api/v1/", $name, "/:id"),
                    concat!($name, ".delete"),
                    Action { kind: Kind::$kind, act: Act::Delete },
                    Access::MemberOrKey(Permission::$write, ApiScope::$write),
                ),
                Route::post(
                    concat!("/api/v1/", $name, "/:id/restore"),
                    concat!($name, ".restore"),
                    Action { kind: Kind::$kind, act: Act::Restore },
                    Access::MemberOrKey(Permission::$write, ApiScope::$write),
                ),
            )*
        ];
    };
}

resources! {
    Projects = "projects", PROJECTS, ProjectsRead, ProjectsWrite;
    Agents = "agents", AGENTS, AgentsRead, AgentsWrite;
}

impl Function for Resources {
    type Action = Action;
    const NAME: &'static str = "resources";
    const ROUTES: &'static [Route<Action>] = TABLE;

    async fn handle<P: Platform>(action: Action, cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
        let resource = action.kind.resource();
        match action.act {
            Act::List => read::list(cx, resource).await,
            Act::Create => create::create(cx, resource).await,
            Act::Get => read::get(cx, resource).await,
            Act::Update => change::update(cx, resource).await,
            Act::Delete => change::delete(cx, resource).await,
            Act::Restore => change::restore(cx, resource).await,
        }
    }
}

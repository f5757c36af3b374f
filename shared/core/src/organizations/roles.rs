//! The registry of roles and permissions, for those who give roles.

use serde_json::{Value as Json, json};

use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Context, Interrupt, Reply};
use crate::port::Platform;
use crate::tenancy::{Permission, Permissions, Role};

/// Every role with what it holds, and whether the caller may grant it; every permission with what
/// it is for.
pub(super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, _) = cx.load(|_| Vec::new()).await?;
    let roles = Role::ALL.map(|role| {
        let permissions = Permissions::of(role);
        let granted = Resource::Role(role, permissions);
        json!({
            "name": role.name(),
            "permissions": permissions.names(),
            "grantable": allow(&actor, Action::Grant, granted).is_ok(),
        })
    });
    let permissions: Vec<Json> = Permission::ALL
        .iter()
        .map(|known| json!({"name": known.name(), "meaning": known.meaning()}))
        .collect();
    Ok(Reply::ok(
        &json!({"roles": roles, "permissions": permissions}),
    ))
}

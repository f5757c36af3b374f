//! The registry of roles and permissions, and the tenant's own roles, for those who give roles.

use serde_json::{Value as Json, json};

use super::service::Own;
use super::store::LIST;
use crate::guard::policy::{Action, Resource, allow};
use crate::http::{Context, Interrupt, Reply};
use crate::port::Platform;
use crate::tenancy::{Permission, Permissions, Role};

/// Every role with what it holds, and whether the caller may grant it; every permission with what
/// it is for. A tenant's own roles have an id.
pub(in super::super) async fn list<P: Platform>(cx: &Context<'_, P>) -> Result<Reply, Interrupt> {
    let (actor, rows) = cx.load(|tenant| vec![LIST.bind(tenant, [])]).await?;
    let grantable = |role: Role, permissions: Permissions| {
        let granted = Resource::Role(role, permissions);
        json!(allow(&actor, Action::Grant, granted).is_ok())
    };
    let mut roles = Vec::new();
    for role in Role::ALL {
        let permissions = Permissions::of(role);
        roles.push(json!({
            "name": role.name(),
            "permissions": permissions.names(),
            "grantable": grantable(role, permissions),
        }));
    }
    for row in rows.first().map_or(&[][..], Vec::as_slice) {
        let own = Own::read(row)?;
        let mut shown = own.json();
        if let Some(object) = shown.as_object_mut() {
            object.insert("grantable".to_owned(), grantable(own.base, own.allows()));
        }
        roles.push(shown);
    }
    let permissions: Vec<Json> = Permission::ALL
        .iter()
        .map(|known| json!({"name": known.name(), "meaning": known.meaning()}))
        .collect();
    Ok(Reply::ok(
        &json!({"roles": roles, "permissions": permissions}),
    ))
}

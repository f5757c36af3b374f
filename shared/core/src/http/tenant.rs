//! The tenant of a request: required, or there or not.

use super::context::Context;
use super::error::{Code, Error, Interrupt};
use crate::id::is_id;
use crate::port::Platform;
use crate::tenancy::{BY_DOMAIN, BY_ID, Named, TENANT_HEADER, TenantId};

/// A tenant that a request named, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
}

impl<P: Platform> Context<'_, P> {
    /// The tenant that a request without a member is about: [`crate::tenancy::resolve`], or the
    /// function's own rule. Handlers for members get theirs with the actor ([`Self::load`]), which
    /// is the same thing for them: there is no actor without a tenant.
    ///
    /// # Errors
    /// `TENANT_REQUIRED` when none is named, `NOT_FOUND` when there is no such tenant.
    pub async fn require_tenant(&self) -> Result<Found, Interrupt> {
        let found = self.optional_tenant().await?;
        Ok(found.ok_or_else(|| Error::new(Code::TenantRequired))?)
    }

    /// The same for handlers that do without. A host that is nobody's domain names none; an id that
    /// is nobody's is an error all the same, because somebody meant it.
    ///
    /// # Errors
    /// `NOT_FOUND`, or `VALIDATION` naming the header.
    pub async fn optional_tenant(&self) -> Result<Option<Found>, Interrupt> {
        let (statement, must_be) = match (self.resolver)(self.credential(), self.request.headers) {
            Named::Nothing => return Ok(None),
            Named::Credential => {
                let (actor, _) = self.load(|_| Vec::new()).await?;
                (BY_ID.bind([actor.tenant.as_str().into()]), true)
            }
            Named::Id(id) if is_id("ten", &id) => (BY_ID.bind([id.into()]), true),
            Named::Id(_) => return Err(no_tenant().into()),
            Named::Domain(domain) => (BY_DOMAIN.bind([domain.into()]), false),
        };
        let rows = self.query(statement).await?;
        let Some(row) = rows.first() else {
            if must_be {
                return Err(Error::new(Code::NotFound).into());
            }
            return Ok(None);
        };
        let tenant = TenantId::proven(row.text(0)?);
        *self.meter.tenant.borrow_mut() = Some(tenant.as_str().to_owned());
        let name = row.text(1)?.to_owned();
        Ok(Some(Found { tenant, name }))
    }

    /// The tenant that a service names, without asking the database: for statements that look for
    /// themselves whether it is there.
    ///
    /// # Errors
    /// `TENANT_REQUIRED` when none is named, or `VALIDATION` naming the header.
    pub fn named_tenant(&self) -> Result<TenantId, Error> {
        match (self.resolver)(self.credential(), self.request.headers) {
            Named::Id(id) if is_id("ten", &id) => {
                *self.meter.tenant.borrow_mut() = Some(id.clone());
                Ok(TenantId::proven(&id))
            }
            Named::Id(_) => Err(no_tenant()),
            _ => Err(Error::new(Code::TenantRequired)),
        }
    }
}

fn no_tenant() -> Error {
    let rule = "Must be the id of an organization (ten_…).";
    Error::invalid(TENANT_HEADER, rule)
}

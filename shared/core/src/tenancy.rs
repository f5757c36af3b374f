//! The tenant, which every owned row names.

mod held;
mod permission;
mod plan;
mod resolve;

pub(crate) use held::stored_rank;
pub use held::{Held, OwnRole};
pub use permission::{Permission, Permissions, Role};
pub use plan::{PlanFeature, PlanFeatures};
pub(crate) use resolve::{BY_DOMAIN, BY_ID, QUERIES as RESOLVE_QUERIES};
pub use resolve::{Named, Resolver, TENANT_HEADER, domain, resolve};

crate::queries! {
    /// `?1` tenant. First in a batch: batches of one tenant that count before they write run one
    /// after the other. SQLite and D1 have one writer, so there it is only a read.
    LOCK: TenantQuery = "tenancy.lock", "SELECT id FROM tenants WHERE id = ?1",
        postgres = "SELECT id FROM tenants WHERE id = ?1 FOR NO KEY UPDATE";
}

/// The tenant whose rows a statement may touch.
///
/// There are two ways to get one: from a verified credential, or from a row that a
/// cross-tenant statement returned. Text from a request never becomes one: nothing outside of the
/// core can make one, and a statement on a tenant's rows cannot be bound without one.
///
/// ```compile_fail,E0624
/// let made_up = edgekeep_core::tenancy::TenantId::proven("ten_1");
/// ```
/// ```compile_fail,E0423
/// let made_up = edgekeep_core::tenancy::TenantId("ten_1".to_owned());
/// ```
/// ```compile_fail,E0308
/// use edgekeep_core::sql::TenantQuery;
/// static LIST: TenantQuery = TenantQuery::new("x.list", "SELECT id FROM jobs WHERE tenant_id = ?1");
/// let text_from_a_request = "ten_1";
/// LIST.bind(text_from_a_request, []);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantId(String);

impl TenantId {
    /// From a signed claim or a row that was read under a proven credential.
    pub(crate) fn proven(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an API key may be used for; an upper bound on its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiScope {
    /// Send usage events.
    UsageWrite,
    /// Read totals of usage.
    UsageRead,
    /// Submit and read jobs.
    Jobs,
    /// Read projects.
    ProjectsRead,
    /// Create, change, delete and restore projects.
    ProjectsWrite,
    /// Read agents.
    AgentsRead,
    /// Create, change, delete and restore agents.
    AgentsWrite,
}

impl ApiScope {
    /// All scopes.
    pub const ALL: [Self; 7] = [
        Self::UsageWrite,
        Self::UsageRead,
        Self::Jobs,
        Self::ProjectsRead,
        Self::ProjectsWrite,
        Self::AgentsRead,
        Self::AgentsWrite,
    ];

    /// The name in requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UsageWrite => "usage:write",
            Self::UsageRead => "usage:read",
            Self::Jobs => "jobs",
            Self::ProjectsRead => "projects:read",
            Self::ProjectsWrite => "projects:write",
            Self::AgentsRead => "agents:read",
            Self::AgentsWrite => "agents:write",
        }
    }

    /// Its bit in the stored set, so that SQL can ask for it.
    pub const fn bit(self) -> i64 {
        match self {
            Self::UsageWrite => 1,
            Self::UsageRead => 2,
            Self::Jobs => 4,
            Self::ProjectsRead => 8,
            Self::ProjectsWrite => 16,
            Self::AgentsRead => 32,
            Self::AgentsWrite => 64,
        }
    }

    /// The scope of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// The names in a stored set.
    pub fn names(set: i64) -> Vec<&'static str> {
        Self::ALL
            .into_iter()
            .filter(|scope| set & scope.bit() != 0)
            .map(Self::name)
            .collect()
    }
}

//! Roles and permissions: the registry of names, and the matrix that says which role holds what.

/// What a member is in a tenant, from the most to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Owns the tenant: everything.
    Founder,
    /// Runs the tenant: members, roles, keys.
    Admin,
    /// Works in the tenant.
    Agent,
    /// Reads what concerns them.
    Client,
}

impl Role {
    /// All roles, from the most to the least.
    pub const ALL: [Self; 4] = [Self::Founder, Self::Admin, Self::Agent, Self::Client];

    /// The name in tokens, rows and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Founder => "founder",
            Self::Admin => "admin",
            Self::Agent => "agent",
            Self::Client => "client",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Founder => 4,
            Self::Admin => 3,
            Self::Agent => 2,
            Self::Client => 1,
        }
    }

    /// Whether this role stands above `other`; none stands above itself.
    pub const fn outranks(self, other: Self) -> bool {
        self.rank() > other.rank()
    }

    /// The names of the roles that hold `permission`, for SQL that must judge by itself:
    /// `role IN (?1, ?2, ?3, ?4)`, where NULL matches nothing.
    pub fn names_with(permission: Permission) -> [Option<&'static str>; 4] {
        Self::ALL.map(|role| role.allows(permission).then(|| role.name()))
    }

    /// Whether members of this role hold `permission`: it and all roles above the least one do,
    /// so a higher role never lacks what a lower one has.
    pub const fn allows(self, permission: Permission) -> bool {
        !permission.least().outranks(self)
    }
}

macro_rules! permissions {
    ($( $id:ident = $bit:literal, $name:literal, $least:ident, $meaning:literal; )*) => {
        /// What a route asks of a member.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Permission {
            $( #[doc = $meaning] $id, )*
        }

        impl Permission {
            /// The registry: all permissions, in the order of their bits.
            pub const ALL: &'static [Self] = &[$( Self::$id ),*];

            /// The name in requests, answers and documents.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$id => $name ),* }
            }

            /// Its bit in a stored set. A bit is never given to another permission.
            pub const fn bit(self) -> i64 {
                match self { $( Self::$id => 1 << $bit ),* }
            }

            /// The permission of that name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }

            /// The least role that holds it. This column is the whole role matrix.
            pub const fn least(self) -> Role {
                match self { $( Self::$id => Role::$least ),* }
            }

            /// What it is for.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$id => $meaning ),* }
            }
        }
    };
}

permissions! {
    ProfileRead = 0, "profile:read", Client, "See oneself, end one's own sessions; every member has it.";
    ApiKeysRead = 1, "api_keys:read", Admin, "List API keys.";
    ApiKeysWrite = 2, "api_keys:write", Admin, "Create, reroll, revoke and delete API keys.";
    UsageWrite = 3, "usage:write", Agent, "Send usage events; members do so by the keys they make.";
    UsageRead = 4, "usage:read", Client, "Read totals of usage.";
    BillingRead = 5, "billing:read", Client, "Read the plan and subscription.";
    JobsRead = 6, "jobs:read", Agent, "See one's jobs and their results.";
    JobsWrite = 7, "jobs:write", Agent, "Submit jobs.";
    OrganizationRead = 8, "organization:read", Client, "See name and plan of the organization.";
    OrganizationWrite = 9, "organization:write", Admin, "Rename the organization.";
    MembersRead = 10, "members:read", Admin, "List members and invitations.";
    MembersWrite = 11, "members:write", Admin, "Invite and remove members, change their roles.";
    JobsAll = 12, "jobs:all", Admin, "See colleagues' jobs and their results.";
    OwnAccess = 13, "access:own", Client, "Set up one's own second factor, sign out. The one permission that needs no second factor where the tenant asks for it.";
    SecurityWrite = 14, "security:write", Admin, "Say what members must prove to sign in.";
    AuditRead = 15, "audit:read", Admin, "See who did what in the organization.";
    ProjectsRead = 16, "projects:read", Client, "See projects.";
    ProjectsWrite = 17, "projects:write", Agent, "Create projects; change, delete and restore one's own.";
    ProjectsAll = 18, "projects:all", Admin, "Change, delete and restore colleagues' projects; see deleted ones.";
    AgentsRead = 19, "agents:read", Client, "See agents.";
    RolesWrite = 20, "roles:write", Admin, "Make, change and delete the organization's own roles.";
    TeamsRead = 21, "teams:read", Client, "See the teams one is in, and who else is.";
    TeamsWrite = 22, "teams:write", Admin, "See all teams; make, rename and delete them, choose who is in them.";
    SessionsRead = 23, "sessions:read", Client, "List one's own sessions.";
    AgentsWrite = 24, "agents:write", Agent, "Create agents; change, delete and restore one's own.";
    AgentsAll = 25, "agents:all", Admin, "Change, delete and restore colleagues' agents; see deleted ones.";
    BillingWrite = 26, "billing:write", Admin, "Buy, change and end the subscription.";
    PaymentsRead = 27, "payments:read", Client, "See one's own payments and what can be paid for.";
    PaymentsWrite = 28, "payments:write", Client, "Begin and cancel one's own payments.";
    PaymentsAll = 29, "payments:all", Admin, "See and cancel colleagues' payments; confirm and complete payments.";
}

/// A set of permissions: what a role holds, or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions(i64);

impl Permissions {
    /// What every member needs to see themselves and to sign out.
    const ALWAYS: i64 = Permission::ProfileRead.bit() | Permission::OwnAccess.bit();

    /// What a role holds.
    pub fn of(role: Role) -> Self {
        let held = Permission::ALL.iter().filter(|one| role.allows(**one));
        Self(held.fold(0, |set, permission| set | permission.bit()))
    }

    /// A set in a row, and what every member has.
    pub const fn stored(bits: i64) -> Self {
        Self(bits | Self::ALWAYS)
    }

    /// As it is stored.
    pub const fn bits(self) -> i64 {
        self.0
    }

    /// What is in both.
    #[must_use]
    pub const fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `permission` is in it.
    pub const fn hold(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// The first permission in it that `other` lacks.
    pub fn beyond(self, other: Self) -> Option<Permission> {
        let found = Permission::ALL
            .iter()
            .find(|permission| self.hold(**permission) && !other.hold(**permission));
        found.copied()
    }

    /// The names, in the order of the registry.
    pub fn names(self) -> Vec<&'static str> {
        let held = Permission::ALL.iter().filter(|known| self.hold(**known));
        held.map(|permission| permission.name()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: B-01
    #[test]
    fn a_higher_role_holds_all_that_a_lower_one_does() {
        for (index, higher) in Role::ALL.iter().enumerate() {
            for lower in &Role::ALL[index + 1..] {
                assert!(higher.outranks(*lower) && !lower.outranks(*higher));
                let (higher, lower) = (Permissions::of(*higher), Permissions::of(*lower));
                assert_eq!(lower.beyond(higher), None);
            }
        }
        assert_eq!(
            Permissions::of(Role::Founder).names().len(),
            Permission::ALL.len()
        );
    }

    #[test]
    fn bits_and_names_are_unique_and_fit_a_stored_integer() {
        assert!(Permission::ALL.is_sorted_by_key(|one| one.bit()));
        for (index, permission) in Permission::ALL.iter().enumerate() {
            assert!(permission.bit() < 1 << 52);
            for other in &Permission::ALL[..index] {
                assert_ne!(permission.bit(), other.bit());
                assert_ne!(permission.name(), other.name());
            }
        }
    }
}

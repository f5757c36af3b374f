//! What a plan has that another lacks. Which plan has it is data: `plans.features`, a list with
//! blanks between the names, so that it changes without a deployment.

/// Something that a plan has or lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanFeature {
    /// Roles of a tenant's own.
    CustomRoles,
    /// Teams.
    Teams,
}

impl PlanFeature {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::CustomRoles, Self::Teams];

    /// The name in rows, answers and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CustomRoles => "custom_roles",
            Self::Teams => "teams",
        }
    }

    /// What it is, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::CustomRoles => "Roles of one's own",
            Self::Teams => "Teams",
        }
    }
}

/// The features of a tenant's plan, as its row lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanFeatures(String);

impl PlanFeatures {
    /// The list in a row.
    pub fn stored(list: &str) -> Self {
        Self(list.to_owned())
    }

    /// Whether the plan has `feature`.
    pub fn has(&self, feature: PlanFeature) -> bool {
        // The tenant's own come after the plan's, and the last word holds.
        let said = |name: &&str| name.strip_prefix('-').unwrap_or(name) == feature.name();
        let last = self.0.rsplit(' ').find(said);
        last.is_some_and(|name| !name.starts_with('-'))
    }

    /// Their names. One that this build does not know is left out.
    pub fn names(&self) -> Vec<&'static str> {
        let has = PlanFeature::ALL.into_iter().filter(|one| self.has(*one));
        has.map(PlanFeature::name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_by_whole_names() {
        let list = PlanFeatures::stored("more_teams custom_roles");
        assert!(list.has(PlanFeature::CustomRoles) && !list.has(PlanFeature::Teams));
        assert_eq!(list.names(), ["custom_roles"]);
        assert_eq!(PlanFeatures::stored("").names(), [] as [&str; 0]);
    }
}

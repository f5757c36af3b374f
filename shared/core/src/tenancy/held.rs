//! What a member has in a tenant: one of the four roles, whole, or narrowed by a role of the
//! tenant's own.
//!
//! A role of a tenant's own is based on one of the four and holds a part of what that one does. So
//! who stands above whom is still a matter of four ranks, and a permission that moves up in the
//! registry moves out of every role that was made below it.

use serde_json::{Value as Json, json};

use super::{Permissions, Role};
use crate::port::DatabaseError;
use crate::sql::Row;

/// The columns of [`Held::read`], from `r`, the left-joined role of the membership (or
/// invitation) `$of`. They follow the four roles' name, `$of.role`.
#[macro_export]
#[doc(hidden)]
macro_rules! own_role_columns {
    ($of:literal) => {
        concat!(
            $of,
            ".role_id, r.name AS role_name, r.permissions AS role_permissions, \
             r.version AS role_version"
        )
    };
}

/// The join for [`own_role_columns!`].
#[macro_export]
#[doc(hidden)]
macro_rules! join_own_role {
    ($of:literal) => {
        concat!(
            "LEFT JOIN roles r ON r.id = ",
            $of,
            ".role_id AND r.tenant_id = ",
            $of,
            ".tenant_id"
        )
    };
}

/// What [`Held::mark`] says, of the membership `$of`: statements that depend on how somebody was
/// judged ask whether it is still so.
#[macro_export]
#[doc(hidden)]
macro_rules! role_mark {
    ($of:literal) => {
        concat!(
            "COALESCE((SELECT r.id || ':' || r.version FROM roles r WHERE r.id = ",
            $of,
            ".role_id), '')"
        )
    };
}

/// Whether the actor `?3` still has the role `$rank` with the mark `$mark` by which they were judged.
#[macro_export]
#[doc(hidden)]
macro_rules! still_judged {
    ($rank:literal, $mark:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM memberships a WHERE a.tenant_id = ?1 AND a.user_id = ?3
                AND a.role = ",
            $rank,
            " AND ",
            $crate::role_mark!("a"),
            " = ",
            $mark,
            ")"
        )
    };
}

/// Whether the member `m` holds a permission, for SQL that must judge by itself: the four
/// parameters are [`Role::names_with`] it, the last one is its bit.
#[macro_export]
#[doc(hidden)]
macro_rules! member_holds {
    ($first:literal, $second:literal, $third:literal, $fourth:literal, $bit:literal) => {
        concat!(
            "m.role IN (",
            $first,
            ", ",
            $second,
            ", ",
            $third,
            ", ",
            $fourth,
            ") AND (m.role_id IS NULL OR EXISTS (SELECT 1 FROM roles r
                WHERE r.id = m.role_id AND (r.permissions & ",
            $bit,
            ") <> 0))"
        )
    };
}

/// A role that a tenant made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRole {
    /// `rol_…`
    pub id: String,
    /// What its tenant calls it.
    pub name: String,
    /// What it was given; the rank may hold less by now.
    pub permissions: Permissions,
    /// Counts its changes, from 1.
    pub version: i64,
}

/// What a member has, or an invitation promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which of the four it is, or is based on.
    pub rank: Role,
    /// The tenant's own role.
    pub own: Option<OwnRole>,
}

impl Held {
    /// One of the four, whole.
    pub const fn whole(rank: Role) -> Self {
        Self { rank, own: None }
    }

    /// Reads the name of one of the four from column `rank`, and `own_role_columns!` from column
    /// `own` on. A role that cannot be read is an error, never the whole rank.
    pub fn read(row: &Row, rank: usize, own: usize) -> Result<Self, DatabaseError> {
        let column = |offset: usize| own.saturating_add(offset);
        let own = match row.opt_text(own)? {
            None => None,
            Some(id) => Some(OwnRole {
                id: id.to_owned(),
                name: row.text(column(1))?.to_owned(),
                permissions: Permissions::stored(row.int(column(2))?),
                version: row.int(column(3))?,
            }),
        };
        let rank = stored_rank(row.text(rank)?)?;
        Ok(Self { rank, own })
    }

    /// The name that its tenant reads.
    pub fn name(&self) -> &str {
        match &self.own {
            Some(own) => &own.name,
            None => self.rank.name(),
        }
    }

    /// What it allows.
    pub fn permissions(&self) -> Permissions {
        let whole = Permissions::of(self.rank);
        match &self.own {
            Some(own) => whole.within(own.permissions),
            None => whole,
        }
    }

    /// The id of the tenant's own role.
    pub fn id(&self) -> Option<&str> {
        self.own.as_ref().map(|own| own.id.as_str())
    }

    /// A text that is another one after every change of the tenant's own role; empty for the four.
    pub fn mark(&self) -> String {
        match &self.own {
            Some(own) => format!("{}:{}", own.id, own.version),
            None => String::new(),
        }
    }

    /// As the audit log tells it.
    pub fn told(&self) -> Json {
        match &self.own {
            Some(own) => json!({"role": own.name, "roleId": own.id, "base": self.rank.name()}),
            None => json!({"role": self.rank.name()}),
        }
    }
}

/// The role that a row names.
pub(crate) fn stored_rank(name: &str) -> Result<Role, DatabaseError> {
    Role::parse(name).ok_or_else(|| DatabaseError::Shape("a role that does not exist".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Value;
    use crate::tenancy::Permission;

    fn row(rank: &str, id: Option<&str>, name: Option<&str>, permissions: Option<i64>) -> Row {
        let version = permissions.map(|_| 3_i64);
        Row(vec![
            rank.into(),
            id.into(),
            name.into(),
            permissions.into(),
            version.into(),
        ])
    }

    /// Rows: B-01
    #[test]
    fn an_own_role_narrows_its_rank_and_never_widens_it() {
        let given = Permission::JobsRead.bit() | Permission::MembersWrite.bit();
        let held = Held::read(&row("agent", Some("rol_1"), Some("x"), Some(given)), 0, 1).unwrap();
        assert!(held.permissions().hold(Permission::JobsRead));
        assert!(!held.permissions().hold(Permission::MembersWrite));
        assert!(!held.permissions().hold(Permission::JobsWrite));
        assert_eq!((held.name(), held.mark().as_str()), ("x", "rol_1:3"));
        // Everybody may sign out and see themselves.
        assert!(held.permissions().hold(Permission::OwnAccess));
        assert!(held.permissions().hold(Permission::ProfileRead));
    }

    #[test]
    fn what_cannot_be_read_is_no_role() {
        let gone = row("agent", Some("rol_1"), None, None);
        assert!(Held::read(&gone, 0, 1).is_err());
        let odd = Row(vec![
            "boss".into(),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
        ]);
        assert!(Held::read(&odd, 0, 1).is_err());
        let whole = Held::read(&row("admin", None, None, None), 0, 1).unwrap();
        assert_eq!(whole, Held::whole(Role::Admin));
        assert_eq!(whole.mark(), "");
    }
}

//! Portable SQL: statements as named constants, values, rows.
//!
//! A statement is declared with [`queries!`](crate::queries) beside the row type it fills. Its
//! type says who may run it: a [`TenantQuery`] cannot be built without a [`TenantId`], a
//! [`CredentialQuery`] proves itself by the API key it carries, a [`SystemQuery`] crosses
//! tenants and says so by its name. docs/sql.md holds the dialect that all databases share.

use crate::port::{DatabaseError, Dialect};
use crate::tenancy::TenantId;

/// Largest integer that every database and JavaScript keep exactly.
pub const MAX_INTEGER: i64 = 9_007_199_254_740_991;

/// Whose rows a statement may reach, by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// [`TenantQuery`]
    Tenant,
    /// [`CredentialQuery`]
    Credential,
    /// [`SystemQuery`]
    System,
}

/// The text of a statement and its name, which is the label in logs and metrics.
#[derive(Debug)]
pub struct Query {
    /// `domain.what_it_does`.
    pub name: &'static str,
    /// Of the type that it was declared with.
    pub scope: Scope,
    sqlite: &'static str,
    postgres: &'static str,
}

impl Query {
    const fn new(scope: Scope, name: &'static str, portable: &'static str) -> Self {
        Self {
            name,
            scope,
            sqlite: portable,
            postgres: portable,
        }
    }

    /// The text for a dialect, with `?1` placeholders.
    pub const fn text(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }
}

macro_rules! scoped_query {
    ($(#[$doc:meta])* $name:ident, $scope:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Query);

        impl $name {
            /// Declares a statement whose text serves every dialect.
            pub const fn new(name: &'static str, portable: &'static str) -> Self {
                Self(Query::new(Scope::$scope, name, portable))
            }

            /// Gives the one text that PostgreSQL needs differently.
            #[must_use]
            pub const fn postgres(mut self, text: &'static str) -> Self {
                self.0.postgres = text;
                self
            }

            /// The statement's text and name.
            pub const fn query(&self) -> &Query {
                &self.0
            }
        }
    };
}

scoped_query! {
    /// A statement on one tenant's rows: `?1` is the tenant.
    TenantQuery, Tenant
}
scoped_query! {
    /// A statement whose tenant is found through a proven credential or an unguessable id that
    /// the caller presented (API key, session, mail token), never through a name.
    CredentialQuery, Credential
}
scoped_query! {
    /// A statement across tenants, for sign-in, Stripe, the scheduler and probes only.
    SystemQuery, System
}

impl TenantQuery {
    /// Binds the tenant as `?1` and `rest` from `?2` on.
    pub fn bind<const N: usize>(&'static self, tenant: &TenantId, rest: [Value; N]) -> Statement {
        let mut params = Vec::with_capacity(N.saturating_add(1));
        params.push(Value::from(tenant.as_str()));
        params.extend(rest);
        Statement {
            query: &self.0,
            params,
        }
    }
}

impl CredentialQuery {
    /// Binds `params` from `?1` on.
    pub fn bind<const N: usize>(&'static self, params: [Value; N]) -> Statement {
        Statement {
            query: &self.0,
            params: Vec::from(params),
        }
    }
}

impl SystemQuery {
    /// Binds `params` from `?1` on.
    pub fn bind<const N: usize>(&'static self, params: [Value; N]) -> Statement {
        Statement {
            query: &self.0,
            params: Vec::from(params),
        }
    }
}

/// Declares the statements of a module and the list `QUERIES` that the schema test prepares.
#[macro_export]
macro_rules! queries {
    ($( $(#[$doc:meta])* $id:ident: $scope:ident = $name:expr, $sql:expr $(, postgres = $pg:expr)?; )*) => {
        $(
            $(#[$doc])*
            pub(crate) static $id: $crate::sql::$scope = $crate::sql::$scope::new($name, $sql)$(.postgres($pg))?;
        )*
        /// Every statement of this module, for the test that prepares them against the schema.
        pub(crate) static QUERIES: &[&$crate::sql::Query] = &[$( $id.query() ),*];
    };
}

/// A statement with its parameters, ready to run.
#[derive(Debug, Clone)]
pub struct Statement {
    /// What to run.
    pub query: &'static Query,
    /// Values for `?1`, `?2`, …
    pub params: Vec<Value>,
}

/// A value that every database stores alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// An integer between -[`MAX_INTEGER`] and [`MAX_INTEGER`].
    Int(i64),
    /// UTF-8 text without NUL.
    Text(String),
}

impl Value {
    /// Whether every database would store it unchanged.
    pub fn is_portable(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Int(n) => (-MAX_INTEGER..=MAX_INTEGER).contains(n),
            Self::Text(text) => !text.contains('\0'),
        }
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Int(i64::from(n))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row, columns in the order of the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// Column `index` as text.
    pub fn text(&self, index: usize) -> Result<&str, DatabaseError> {
        self.opt_text(index)?.ok_or_else(|| shape(index, "text"))
    }

    /// Column `index` as text, or `None` for NULL.
    pub fn opt_text(&self, index: usize) -> Result<Option<&str>, DatabaseError> {
        match self.0.get(index) {
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Null) => Ok(None),
            _ => Err(shape(index, "text or NULL")),
        }
    }

    /// Column `index` as an integer.
    pub fn int(&self, index: usize) -> Result<i64, DatabaseError> {
        self.opt_int(index)?
            .ok_or_else(|| shape(index, "an integer"))
    }

    /// Column `index` as an integer, or `None` for NULL.
    pub fn opt_int(&self, index: usize) -> Result<Option<i64>, DatabaseError> {
        match self.0.get(index) {
            Some(Value::Int(n)) => Ok(Some(*n)),
            Some(Value::Null) => Ok(None),
            _ => Err(shape(index, "an integer or NULL")),
        }
    }
}

fn shape(index: usize, wanted: &str) -> DatabaseError {
    DatabaseError::Shape(format!("column {index} is not {wanted}"))
}

/// Rewrites `?N` to `$N` for PostgreSQL. Exact because no statement holds a `?` elsewhere
/// (a test over all statements keeps it so).
pub fn to_dollar_placeholders(text: &str) -> String {
    text.replace('?', "$")
}

/// Rewrites `?N` to `+?N` for D1, which means the same: a plus before a value changes nothing in
/// SQLite. D1 keeps prepared statements, but its SQLite looks at the values of bare placeholders
/// while it plans a join, and prepares the statement again for the next values
/// (docs/decisions/0012).
pub fn to_signed_placeholders(text: &str) -> String {
    text.replace('?', "+?")
}

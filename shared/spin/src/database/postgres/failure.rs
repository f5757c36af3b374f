//! What an error of PostgreSQL or of the host means.

use edgekeep_core::port::DatabaseError;
use spin_sdk::pg::{Error, PgError, QueryError};

/// An error, and what may be done about it.
#[derive(Debug)]
pub(super) struct Failure {
    /// What the caller is told.
    pub(super) error: DatabaseError,
    /// Whether the same call may be made again: nothing is left of it, and it may succeed.
    pub(super) again: bool,
    /// Whether the connection is gone.
    pub(super) lost: bool,
    leftover: bool,
}

impl Failure {
    fn new(error: DatabaseError) -> Self {
        Self {
            error,
            again: false,
            lost: false,
            leftover: false,
        }
    }

    /// A row that the code does not expect.
    pub(super) fn shape(why: String) -> Self {
        Self::new(DatabaseError::Shape(why))
    }

    /// The connection is gone; what it was doing may have happened.
    pub(super) fn lost() -> Self {
        let error = DatabaseError::Unavailable("connection lost".to_owned());
        Self {
            lost: true,
            ..Self::new(error)
        }
    }

    /// Whether an open transaction was in the way of ours.
    pub(super) const fn is_leftover(&self) -> bool {
        self.leftover
    }

    /// Says whether repeating is harmless although the connection is gone.
    pub(super) const fn repeatable(mut self, harmless: bool) -> Self {
        self.again = self.again || (self.lost && harmless);
        self
    }

    /// By SQLSTATE. Of the message only its first line goes to the log: the details quote values.
    fn from_code(code: &str, message: &str) -> Self {
        let text = format!("{code} {message}");
        match code {
            // Deadlock and serialization failure: the transaction is undone, the next try is new.
            "40001" | "40P01" => Self {
                again: true,
                ..Self::new(DatabaseError::Busy(text))
            },
            // Active, or failed, transaction that we did not begin.
            "25001" | "25P02" => Self {
                leftover: true,
                ..Self::new(DatabaseError::Refused(text))
            },
            // A lock that somebody else holds, or time.
            "55P03" | "57014" => Self::new(DatabaseError::Busy(text)),
            // Out of memory, room or connections.
            _ if code.starts_with("53") => Self::new(DatabaseError::Unavailable(text)),
            // Connection exceptions, shutdown, crash.
            _ if code.starts_with("08") || code.starts_with("57P") || code.starts_with("58") => {
                Self {
                    lost: true,
                    ..Self::new(DatabaseError::Unavailable(text))
                }
            }
            _ => Self::new(DatabaseError::Refused(text)),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::PgError(error) => Self::from(error),
            Error::Decode(why) => Self::shape(why),
        }
    }
}

impl From<PgError> for Failure {
    fn from(error: PgError) -> Self {
        match error {
            PgError::QueryFailed(QueryError::DbError(error)) => {
                Self::from_code(&error.code, &error.message)
            }
            // Without a code it is the driver that failed: mostly a closed connection, else a
            // value it could not convert. It says which only in its debug text.
            PgError::QueryFailed(QueryError::Text(why)) => {
                if ["kind: Closed", "kind: Io", "kind: UnexpectedMessage"]
                    .iter()
                    .any(|kind| why.contains(kind))
                {
                    Self::lost()
                } else {
                    Self::new(DatabaseError::Refused(why))
                }
            }
            PgError::BadParameter(why) => Self::new(DatabaseError::Refused(why)),
            PgError::ValueConversionFailed(why) => Self::shape(why),
            PgError::ConnectionFailed(why) | PgError::Other(why) => {
                Self::new(DatabaseError::Unavailable(why))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_whether_trying_again_helps() {
        let deadlock = Failure::from_code("40P01", "deadlock detected");
        assert!(deadlock.again && !deadlock.lost);
        let unique = Failure::from_code("23505", "duplicate key");
        assert!(!unique.again && matches!(unique.error, DatabaseError::Refused(_)));
        assert!(Failure::from_code("25001", "active transaction").is_leftover());
    }

    #[test]
    fn a_lost_write_is_not_repeated() {
        let closed = || {
            let why = "Error { kind: Closed, cause: None }".to_owned();
            Failure::from(PgError::QueryFailed(QueryError::Text(why)))
        };
        assert!(!closed().repeatable(false).again);
        assert!(closed().repeatable(true).again);
        assert!(Failure::from_code("57P01", "shutdown").lost);
    }
}

//! Tests about the repository itself; they are in `tests/repo`.

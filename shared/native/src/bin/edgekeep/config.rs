//! `edgekeep config`

use edgekeep_core::config::VARIABLES;

use crate::{Failure, app, print, variable};

/// Prints a line for each variable, then everything that is wrong.
pub(crate) fn show() -> Result<(), Failure> {
    for known in VARIABLES {
        let set = variable(known.name).is_some_and(|value| !value.trim().is_empty());
        let state = match (set, known.default) {
            (true, _) => "set",
            (false, Some(_)) => "default",
            (false, None) => "MISSING",
        };
        print(format_args!(
            "{:<8} {:<22} {}",
            state, known.name, known.purpose
        ))?;
    }
    match app().ready() {
        Ok(ready) => {
            for warning in &ready.config.warnings {
                print(format_args!("warning: {warning}"))?;
            }
            print(format_args!(
                "sound for ENVIRONMENT={}",
                ready.config.environment.name()
            ))
        }
        Err(error) => {
            for problem in &error.problems {
                print(format_args!("problem: {problem}"))?;
            }
            Err(format!(
                "{} problems; every route but /healthz answers 503",
                error.problems.len()
            ))
        }
    }
}

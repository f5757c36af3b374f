//! Tests about the repository itself: what no single crate can see.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test without libtest's harness, whose attributes would allow them"
)]

mod alerts;
mod catalog;
mod checklist;
mod databases;
mod dependencies;
mod manifests;
mod migrations;
mod plans;
mod reach;
mod schema;
mod scripts;
mod statements;
mod tenancy;
mod zones;

use std::process::ExitCode;
use std::sync::Arc;

use edgekeep_support::{Absent, Postgres, is_required};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let postgres = if arguments.list {
        Err(Absent("only listed".to_owned()))
    } else {
        Postgres::start()
    };
    let postgres = postgres.map(Arc::new);

    let mut trials = dependencies::trials();
    trials.extend(alerts::trials());
    trials.extend(manifests::trials());
    trials.extend(scripts::trials());
    trials.extend(statements::trials());
    trials.extend(schema::trials());
    trials.extend(tenancy::trials());
    trials.extend(checklist::trials());
    trials.extend(zones::trials());
    trials.extend(reach::trials());
    trials.extend(plans::trials());
    trials.extend(migrations::trials());
    let on_postgres = [
        statements::on_postgres(),
        schema::on_postgres(),
        plans::on_postgres(),
        migrations::on_postgres(),
    ];
    for (name, run) in on_postgres.into_iter().flatten() {
        let (server, wanted) = (postgres.clone(), is_required("postgres"));
        let ignored = server.is_err() && !wanted;
        let run = move || match &server {
            Ok(server) => databases::block_on(run(server)),
            Err(Absent(why)) => Err(format!("{why}, and REQUIRE_STACKS wants it").into()),
        };
        trials.push(Trial::test(name, run).with_ignored_flag(ignored));
    }

    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Err(Absent(why)) = &postgres {
        println!("not run: what needs postgres ({why})\n");
    }
    conclusion.exit_code()
}

/// A test that needs the server.
type OnPostgres = (&'static str, fn(&Postgres) -> databases::Work<'_>);

/// Fails with all findings at once.
fn none(what: &str, findings: &[String]) -> Result<(), Failed> {
    if findings.is_empty() {
        Ok(())
    } else {
        Err(format!("{what}:\n{}", findings.join("\n")).into())
    }
}

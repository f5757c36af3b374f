//! What holds for the manifests of both platforms.

use edgekeep_core::config::VARIABLES;
use edgekeep_core::functions;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::super::none;
use super::{GATEWAY, all, keys, list, read, toml, worker};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        // Rows: AE-05 G-22
        Trial::test("manifests::every_platform_ticks_alike", ticks),
        // Rows: Q-10
        Trial::test("manifests::no_secret_has_a_value", secrets),
        // Rows: Z-06
        Trial::test("manifests::a_deployment_waits_for_every_stack", gate),
        Trial::test("manifests::the_search_for_secrets_finds_them", search),
    ]
}

/// The lines of one job of the workflow.
fn job(workflow: &str, name: &str) -> String {
    let heading = format!("  {name}:");
    let lines = workflow.lines().skip_while(|line| *line != heading).skip(1);
    let inside = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    let lines: Vec<&str> = inside.map(str::trim).collect();
    lines.join("\n") + "\n"
}

fn gate() -> Result<(), Failed> {
    let workflow = read(".github/workflows/ci.yml")?;
    let test = job(&workflow, "test");
    assert!(test.contains("- run: bash .ci/run\n"), "{test}");
    let stacks = read("scripts/test")?;
    let all = stacks.lines().find_map(|line| line.strip_prefix("all='"));
    for stack in all
        .ok_or("no list of stacks")?
        .trim_end_matches('\'')
        .split(' ')
    {
        let required = test
            .lines()
            .find_map(|line| line.strip_prefix("REQUIRE_STACKS: "))
            .ok_or("no stack is required")?;
        assert!(
            required.split(',').any(|one| one == stack),
            "{stack} may be left out"
        );
    }
    assert!(
        stacks.contains("scripts/stack down \"$1\""),
        "what was started stays"
    );
    assert!(job(&workflow, "deploy").contains("needs: test\n"));
    Ok(())
}

/// The schedules of the crontab that the README gives for Spin.
fn crontab() -> Result<Vec<String>, Failed> {
    let readme = read("README.md")?;
    let lines = readme.lines().filter(|line| line.contains("edgekeep tick"));
    let first_five = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().take(5).collect();
        fields.join(" ")
    };
    Ok(lines.map(first_five).collect())
}

fn ticks() -> Result<(), Failed> {
    let scheduler = toml(&worker("scheduler"))?;
    let crons: Vec<&str> = list(&scheduler, "/triggers/crons")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(crons, crontab()?, "Workers, and Spin as the README says");
    // On this machine scripts/tick and the native server play the same schedule.
    assert_eq!(crons, ["* * * * *"], "every minute");
    let (script, server) = (
        read("scripts/tick")?,
        read("shared/native/src/server/mod.rs")?,
    );
    assert!(script.contains("run sleep 60\n"), "scripts/tick");
    assert!(
        server.contains("const TICK: Duration = Duration::from_mins(1);"),
        "native server"
    );
    assert!(
        read("docs/operations.md")?.contains("A tick comes every minute"),
        "docs/operations.md"
    );
    // [triggers] is inherited by [env.*]; said again, or elsewhere, it would be another schedule.
    let mut findings = Vec::new();
    for file in all() {
        let manifest = toml(&file)?;
        for place in ["", "/env/staging", "/env/production"] {
            let others = list(&manifest, &format!("{place}/triggers/crons")).len();
            let own = file == worker("scheduler") && place.is_empty();
            if others > 0 && !own {
                findings.push(format!("{file}: {place}/triggers"));
            }
        }
    }
    none("other schedules", &findings)
}

/// Whether a manifest's value gives a variable something: neither empty, nor Spin's own reference.
fn given(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty() && !text.starts_with("{{ "),
        Value::Object(declared) => declared.get("default").is_some_and(given),
        _ => true,
    }
}

/// Every place below `value` that gives one of `names` a value.
fn values(value: &Value, names: &[String], at: &str) -> Vec<String> {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(table) => table
            .iter()
            .map(|(key, value)| (key.clone(), value))
            .collect(),
        Value::Array(list) => (0..)
            .zip(list)
            .map(|(n, v): (u32, _)| (n.to_string(), v))
            .collect(),
        _ => Vec::new(),
    };
    let mut found = Vec::new();
    for (key, value) in entries {
        let at = format!("{at}/{key}");
        if names.contains(&key.to_ascii_uppercase()) && given(value) {
            found.push(at.clone());
        }
        found.extend(values(value, names, &at));
    }
    found
}

/// Names of all secrets, in capitals.
fn secret_names() -> Vec<String> {
    let secret = VARIABLES.iter().filter(|variable| variable.secret);
    let names = secret.map(|variable| variable.name.to_owned());
    names.chain(["DATABASE_URL".to_owned()]).collect()
}

fn secrets() -> Result<(), Failed> {
    let names = secret_names();
    let mut findings = Vec::new();
    for file in all() {
        findings.extend(values(&toml(&file)?, &names, &file));
    }
    for name in functions::names().iter().chain([&GATEWAY]) {
        let manifest = toml(&format!("functions/{name}/Cargo.toml"))?;
        assert!(!keys(&manifest, "/package").is_empty(), "{name}");
        findings.extend(values(&manifest, &names, name));
    }
    none("secrets with a value", &findings)
}

/// The search would be worth nothing if it found nothing.
fn search() -> Result<(), Failed> {
    let given = "
        [vars]
        JWT_SECRET = 'a'
        [[env.production.list]]
        stripe_secret_key = 1
        [variables]
        jwt_refresh_secret = { default = 'b', secret = true }
        service_jwt_secret = { required = true, secret = true }
        database_url = { default = '', secret = true }
        [component.auth.variables]
        jwt_secret = '{{ jwt_secret }}'
        resend_api_key = 'c'";
    let mut found = values(&toml::from_str(given)?, &secret_names(), "");
    found.sort();
    assert_eq!(
        found,
        [
            "/component/auth/variables/resend_api_key",
            "/env/production/list/0/stripe_secret_key",
            "/variables/jwt_refresh_secret",
            "/vars/JWT_SECRET",
        ]
    );
    Ok(())
}

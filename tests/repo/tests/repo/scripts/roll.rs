//! scripts/roll-secret

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use edgekeep_core::auth::token::{ACCESS_SECONDS, SERVICE_SECONDS};
use edgekeep_core::config::{Config, Secret, VARIABLES};
use edgekeep_support::Scratch;
use libtest_mimic::{Failed, Trial};

use super::{ROOT, errors, printed, run, run_with};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        // Rows: Q-12
        Trial::test("scripts::a_rolled_secret_stays_valid_until_the_end", roll),
        // Rows: Q-12
        Trial::test("scripts::waits_fit_the_lives_of_tokens", waits),
        // Rows: H-06
        Trial::test(
            "scripts::a_webhook_secret_is_rolled_by_its_own_list",
            webhook,
        ),
        Trial::test("scripts::what_cannot_be_rolled_is_left_alone", refused),
    ]
}

const FIRST: &str = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4MTIzNDU2Nzg=";
const REFRESH: &str = "QW5vdGhlcktleUFub3RoZXJLZXlBbm90aGVyS2V5MTI=";
const SERVICE: &str = "VGhpcmRLZXlUaGlyZEtleVRoaXJkS2V5VGhpcmRLZXk=";

/// A file of variables, with a comment and with quotes.
fn variables(scratch: &Scratch) -> Result<String, Failed> {
    let file = scratch.path().join("some.vars");
    let lines = [
        "# JWT_SECRET=not this one",
        "ENVIRONMENT=test",
        &format!("JWT_SECRET={FIRST}"),
        &format!("JWT_REFRESH_SECRET='{REFRESH}'"),
        &format!("SERVICE_JWT_SECRET=\"{SERVICE}\""),
        "EMAIL_FROM='Us <us@acme.test>'",
    ];
    fs::write(&file, lines.join("\n") + "\n")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    Ok(file.display().to_string())
}

/// The value of a variable in a file, as the product gets it from a shell.
fn value(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}=")))?;
    Some(line.trim_matches(['"', '\'']).to_owned())
}

fn config(file: &str) -> Result<Config, Failed> {
    Ok(Config::load(|name| value(file, name))?)
}

fn roll() -> Result<(), Failed> {
    let names = [
        ("JWT_SECRET", "JWT_OLD_SECRETS", FIRST),
        ("JWT_REFRESH_SECRET", "JWT_REFRESH_OLD_SECRETS", REFRESH),
        ("SERVICE_JWT_SECRET", "SERVICE_JWT_OLD_SECRETS", SERVICE),
    ];
    for (name, list, first) in names {
        let scratch = Scratch::new()?;
        let file = variables(&scratch)?;
        let before = fs::read_to_string(&file)?;
        let mut expected = first.to_owned();
        for _ in 0..2 {
            let told = printed("roll-secret", &[&file, name])?;
            let current = value(&file, name).ok_or("there is no secret")?;
            assert_eq!(value(&file, list).as_ref(), Some(&expected));
            assert!(current.len() == 44 && !expected.contains(&current));
            assert!(!told.contains(first) && !told.contains(&current), "{told}");
            assert!(told.contains("Wait ") && told.contains("--end"), "{told}");
            expected = format!("{current},{expected}");
        }
        // What the product makes of it: the new one signs, both former ones verify.
        let config = config(&file)?;
        let (signs, verify) = match name {
            "JWT_SECRET" => (&config.jwt_secret, &config.jwt_old_secrets),
            "JWT_REFRESH_SECRET" => (&config.refresh_secret, &config.refresh_old_secrets),
            _ => (&config.service_secret, &config.service_old_secrets),
        };
        let all: Vec<&str> = [signs]
            .into_iter()
            .chain(verify)
            .map(Secret::expose)
            .collect();
        assert_eq!(all.join(","), expected);

        printed("roll-secret", &["--end", &file, name])?;
        assert_eq!(value(&file, list).as_deref(), Some(""));
        assert_eq!(value(&file, name).as_deref(), Some(signs.expose()));
        assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
        // Nothing else has changed, and nothing else is left there.
        let mine = |line: &&str| !line.starts_with(&format!("{name}=")) && !line.starts_with(list);
        let after = fs::read_to_string(&file)?;
        let (before, after) = (before.lines().filter(mine), after.lines().filter(mine));
        assert!(before.eq(after), "other lines have changed");
        assert_eq!(fs::read_dir(scratch.path())?.count(), 1);
    }
    Ok(())
}

/// The script knows the lives of tokens by heart; here it is held to the code.
fn waits() -> Result<(), Failed> {
    let scratch = Scratch::new()?;
    let file = variables(&scratch)?;
    let session = fs::read_to_string(format!("{ROOT}/shared/core/src/auth/session.rs"))?;
    assert!(
        session.contains("max-age=300"),
        "session.rs has other lives: mend scripts/roll-secret and this test"
    );
    let idle = VARIABLES
        .iter()
        .find(|variable| variable.name == "SESSION_IDLE_HOURS");
    assert_eq!(idle.and_then(|variable| variable.default), Some("168"));
    let expected = [
        (
            "JWT_SECRET",
            format!("Wait {} minutes", (ACCESS_SECONDS + 300) / 60),
        ),
        ("JWT_REFRESH_SECRET", "Wait 7 days".to_owned()),
        (
            "SERVICE_JWT_SECRET",
            format!("Wait {} minutes", SERVICE_SECONDS / 60),
        ),
    ];
    for (name, wait) in expected {
        let told = printed("roll-secret", &[&file, name])?;
        assert!(told.contains(&wait), "{name}: {told}");
    }
    Ok(())
}

/// Stripe makes this one, so it is read.
fn webhook() -> Result<(), Failed> {
    const NAME: &str = "STRIPE_WEBHOOK_SECRET";
    let scratch = Scratch::new()?;
    let file = variables(&scratch)?;
    let rest = fs::read_to_string(&file)?;
    fs::write(&file, format!("{rest}{NAME}='whsec_{FIRST}'\n"))?;
    let list = || -> Result<Vec<String>, Failed> {
        let config = Config::load(|name| match name {
            "BILLING_ENABLED" => Some("true".to_owned()),
            _ => value(&file, name),
        })?;
        let all = config.stripe_webhook_secrets.iter();
        Ok(all.map(|secret| secret.expose().to_owned()).collect())
    };
    let (first, second) = (format!("whsec_{FIRST}"), format!("whsec_{REFRESH}"));
    for bad in ["", "whsec_", REFRESH, "whsec_a,whsec_b", "whsec_a b"] {
        let output = run_with("roll-secret", &[&file, NAME], bad)?;
        assert!(!output.status.success(), "{bad}");
        assert_eq!(list()?, [first.as_str()]);
    }
    let output = run_with("roll-secret", &[&file, NAME], &second)?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &errors(&output);
    assert!(output.status.success(), "{told}");
    assert!(!told.contains(&first) && !told.contains(&second), "{told}");
    assert_eq!(list()?, [second.as_str(), first.as_str()]);
    for _ in 0..2 {
        printed("roll-secret", &["--end", &file, NAME])?;
        assert_eq!(list()?, [second.as_str()]);
    }
    let after = fs::read_to_string(&file)?;
    assert_eq!(after, format!("{rest}{NAME}={second}\n"));
    assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
    Ok(())
}

fn refused() -> Result<(), Failed> {
    let scratch = Scratch::new()?;
    let file = variables(&scratch)?;
    let before = fs::read_to_string(&file)?;
    let missing = scratch.path().join("missing").display().to_string();
    let cases: [(&[&str], &str); 4] = [
        (&[&file], "needs a file and a name"),
        (&[&missing, "JWT_SECRET"], "there is no file"),
        (&[&file, "STRIPE_SECRET_KEY"], "cannot be rolled"),
        (&[&file, "ENVIRONMENT"], "cannot be rolled"),
    ];
    for (arguments, why) in cases {
        let output = run("roll-secret", arguments)?;
        assert!(!output.status.success(), "{arguments:?}");
        assert!(errors(&output).contains(why), "{}", errors(&output));
    }
    assert_eq!(fs::read_to_string(&file)?, before);
    fs::write(&file, "JWT_SECRET=one\nJWT_SECRET=two\n")?;
    let output = run("roll-secret", &[&file, "JWT_SECRET"])?;
    assert!(
        errors(&output).contains("more than once"),
        "{}",
        errors(&output)
    );
    Ok(())
}

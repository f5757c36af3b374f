//! What people run as it stands: commands of docs/, and the scripts that are for deployments, against
//! the server under test.

use std::path::Path;
use std::process::Command;

use super::tests;
use crate::api::Api;
use crate::fixture::elsewhere;

tests! { "guides":
    the_guide_to_tokens_works ["A-38" "A-45"];
    the_page_about_security_holds ["A-45" "A-15" "A-16" "R-01" "R-07" "A-27"];
    the_page_about_identity_holds ["A-03" "A-33"];
    the_page_about_idempotency_holds ["F-04" "F-05" "F-09" "F-25"];
    the_page_about_billing_holds ["H-40" "H-19" "H-34" "H-35"];
    the_page_about_usage_holds ["H-40" "J-01"];
    the_page_about_invoices_holds ["H-40" "H-30"] alone;
    the_page_about_payments_holds ["I-08" "I-23"];
    the_smoke_test_tries_every_way_in ["A-42" "I-24"];
}

fn the_guide_to_tokens_works(api: &Api) {
    run_page(api, "jwt.md");
}

fn the_page_about_security_holds(api: &Api) {
    run_page(api, "security.md");
}

fn the_page_about_identity_holds(api: &Api) {
    run_page(api, "identity.md");
}

fn the_page_about_idempotency_holds(api: &Api) {
    run_page(api, "idempotency.md");
}

fn the_page_about_billing_holds(api: &Api) {
    run_page(api, "billing.md");
}

fn the_page_about_usage_holds(api: &Api) {
    run_page(api, "usage.md");
}

/// Alone: it goes into the next month, and bills everybody's.
fn the_page_about_invoices_holds(api: &Api) {
    run_page(api, "invoices.md");
}

fn the_page_about_payments_holds(api: &Api) {
    run_page(api, "payments.md");
}

fn the_smoke_test_tries_every_way_in(api: &Api) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/smoke");
    let smoke = |url: &str| {
        let mut command = Command::new(&script);
        command
            .arg(url)
            .env("SMOKE_REQUIRE", "all")
            .output()
            .unwrap()
    };
    let output = smoke(api.base());
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    for way in [
        "password",
        "refresh",
        "second factor",
        "providers",
        "API key",
        "service token",
        "payment",
    ] {
        let ok = |line: &str| line.starts_with(&format!("{way}:")) && line.ends_with(" ok");
        assert!(told.lines().any(ok), "{way}: {told}");
    }
    // It fails where nothing is right.
    assert!(!smoke(&crate::others::base()).status.success());
}

/// A block of commands and what they must print.
struct Step {
    commands: String,
    expected: String,
}

fn run_page(api: &Api, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    let steps = steps(&std::fs::read_to_string(&path).unwrap());
    assert!(steps.len() >= 5, "{name} has hardly any commands");
    // One shell, as somebody would use who follows the page, in a network of their own: what they get
    // wrong must not count against the rest of the suite.
    let mut script = format!(
        "set -eu\ncurl() {{ command curl -H 'x-forwarded-for: {}' \"$@\"; }}\n",
        elsewhere(api)
    );
    for step in &steps {
        script.push_str(&step.commands);
        script.push_str("printf '%s\\n' '--- next ---'\n");
    }
    // The tool stands beside this suite.
    let own = std::env::current_exe().unwrap();
    let tools = own.parent().unwrap().display();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .env("API", api.base())
        .env("PATH", format!("{tools}:{path}"))
        .output()
        .unwrap();
    let (told, problems) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let mut printed = told.split("--- next ---\n");
    for step in &steps {
        let printed = printed.next().unwrap_or_default();
        let fits = fits(&step.expected, printed);
        assert!(
            fits,
            "{name}:\n{}printed:\n{printed}{problems}",
            step.commands
        );
    }
    assert!(output.status.success(), "{name}: {problems}");
}

/// The blocks of `sh`, each with the block of `text` after it, if there is one.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, block) in page.split("```").enumerate() {
        let (language, body) = block.split_once('\n').unwrap_or((block, ""));
        match language {
            // Every other part stands between fences.
            _ if at % 2 == 0 => {}
            "sh" => steps.push(Step {
                commands: body.to_owned(),
                expected: String::new(),
            }),
            // For reading: what needs an account, and bodies.
            "console" | "json" => {}
            "text" => body.clone_into(&mut steps.last_mut().unwrap().expected),
            other => panic!("a block of {other:?}"),
        }
    }
    steps
}

/// Whether it is the same text, where `…` stands for any.
fn fits(expected: &str, printed: &str) -> bool {
    let mut rest = printed;
    for (at, part) in expected.split('…').enumerate() {
        let found = rest.find(part);
        let Some(start) = found.filter(|start| at > 0 || *start == 0) else {
            return false;
        };
        rest = &rest[start + part.len()..];
    }
    rest.is_empty()
}

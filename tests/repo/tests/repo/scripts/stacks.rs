//! scripts/stack: environments for tests that come, go and do not meet.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use edgekeep_support::Scratch;
use libtest_mimic::{Failed, Trial};

use super::{ROOT, errors, outside_cargo};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        // Rows: Z-03
        Trial::test("scripts::a_stack_comes_and_goes", comes_and_goes),
        // Rows: Z-33
        Trial::test("scripts::stacks_beside_each_other_share_nothing", apart),
        // Rows: Z-01
        Trial::test("scripts::the_suite_runs_against_any_url", any_url),
    ]
}

/// A stack with a port and data of its own; dropping it takes it down.
struct Stack {
    port: u16,
    scratch: Scratch,
}

impl Stack {
    fn up() -> Result<Self, Failed> {
        let stack = Self {
            port: TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
            scratch: Scratch::new()?,
        };
        // As scripts/test does: `wait` is for a start, not for a compiler.
        let mut build = script("cargo");
        build.args([
            "build",
            "-q",
            "-p",
            "edgekeep-native",
            "-p",
            "edgekeep-acceptance",
        ]);
        assert!(build.status()?.success(), "it does not compile");
        stack.told("up")?;
        stack.told("wait")?;
        Ok(stack)
    }

    fn run(&self, command: &str) -> Result<Output, Failed> {
        let mut script = script(&format!("{ROOT}/scripts/stack"));
        script.args([command, "native-sqlite"]);
        script.env("PORT", self.port.to_string());
        script.env("STACK_DIR", self.dir());
        Ok(script.output()?)
    }

    /// What a command that succeeds prints.
    fn told(&self, command: &str) -> Result<String, Failed> {
        let output = self.run(command)?;
        if !output.status.success() {
            return Err(format!("stack {command}: {}", errors(&output)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn dir(&self) -> PathBuf {
        self.scratch.path().join("stack")
    }

    fn post(&self, path: &str, body: &str) -> Result<String, Failed> {
        curl(&["--json", body, &self.url(path)])
    }

    fn get(&self, path: &str) -> Result<String, Failed> {
        curl(&[&self.url(path)])
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.run("down");
    }
}

fn curl(arguments: &[&str]) -> Result<String, Failed> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "30"])
        .args(arguments)
        .output()?;
    if !output.status.success() {
        return Err(errors(&output).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A command of the repository, from within `cargo test`.
fn script(path: &str) -> Command {
    let mut command = Command::new(path);
    command.stdin(Stdio::null()).current_dir(ROOT);
    outside_cargo(&mut command);
    command
}

fn comes_and_goes() -> Result<(), Failed> {
    let stack = Stack::up()?;
    assert_eq!(stack.told("url")?, stack.url(""));
    assert!(stack.get("/healthz")?.contains("\"ok\""));
    let plans = stack.get("/api/v1/billing/plans")?;
    stack.told("seed")?;
    let again = stack.get("/api/v1/billing/plans")?;
    let count = |text: &str| text.matches("\"monthlyEvents\"").count();
    assert!(count(&plans) > 0, "{plans}");
    assert_eq!(count(&plans), count(&again), "seeded twice: {again}");

    let session = std::fs::read_to_string(stack.dir().join("pid"))?;
    stack.told("down")?;
    assert!(
        TcpStream::connect(("127.0.0.1", stack.port)).is_err(),
        "something still listens"
    );
    let left = Command::new("pgrep")
        .args(["-s", session.trim()])
        .output()?;
    assert_eq!(String::from_utf8(left.stdout)?, "", "processes are left");
    // A second time there is nothing to do.
    stack.told("down")?;
    Ok(())
}

fn apart() -> Result<(), Failed> {
    let (one, other) = (Stack::up()?, Stack::up()?);
    let person = r#"{"email":"someone@example.com","password":"a long pass phrase"}"#;
    one.post("/api/v1/auth/register", person)?;
    let mailbox = "/api/v1/dev/mailbox?to=someone@example.com";
    assert!(one.get(mailbox)?.contains("someone@example.com"));
    let elsewhere = other.get(mailbox)?;
    assert!(elsewhere.contains("\"data\":[]"), "{elsewhere}");

    one.told("down")?;
    assert!(other.get("/readyz")?.contains("\"ok\""));
    Ok(())
}

/// The suite knows a server by its URL and by the variables that both have.
fn any_url() -> Result<(), Failed> {
    let stack = Stack::up()?;
    let mut suite = script("sh");
    suite.args(["-c", "set -a; . \"$VARS\"; exec cargo run -q -p edgekeep-acceptance -- --stack elsewhere --group journey"]);
    suite.env("VARS", stack.told("vars")?);
    suite.env("BASE_URL", stack.url(""));
    suite.env("RESULTS_DIR", stack.dir());
    let output = suite.output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", errors(&output));
    assert!(told.contains(" passed, 0 failed"), "{told}");
    Ok(())
}

//! The scripts that others build upon, run as a person would.

mod roll;
mod stacks;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use libtest_mimic::{Failed, Trial};

use super::none;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = roll::trials();
    trials.extend(stacks::trials());
    trials.extend([
        Trial::test("scripts::every_script_explains_itself", usage),
        // Rows: Z-05
        Trial::test("scripts::wait_for_waits_until_it_answers", answers),
        // Rows: Z-05
        Trial::test("scripts::wait_for_gives_up", gives_up),
        // Rows: Q-13
        Trial::test("scripts::secrets_are_32_random_bytes", secret),
        // Rows: Q-03 Q-04 Q-05 Q-07 Q-14
        Trial::test("scripts::environments_are_judged", environments),
    ]);
    trials
}

fn run(name: &str, arguments: &[&str]) -> Result<Output, Failed> {
    let script = format!("{ROOT}/scripts/{name}");
    let mut command = Command::new(&script);
    command.args(arguments).stdin(Stdio::null());
    outside_cargo(&mut command);
    Ok(command
        .output()
        .map_err(|error| format!("{script}: {error}"))?)
}

/// The same, with something to read.
fn run_with(name: &str, arguments: &[&str], input: &str) -> Result<Output, Failed> {
    let mut command = Command::new(format!("{ROOT}/scripts/{name}"));
    command.args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    outside_cargo(&mut command);
    let mut child = command.spawn()?;
    let mut to = child.stdin.take().ok_or("no standard input")?;
    to.write_all(input.as_bytes())?;
    drop(to);
    Ok(child.wait_with_output()?)
}

/// Takes away what cargo tells a test: a cargo within it would find that changed, and compile ring and all
/// that needs it anew, and so would the next one outside.
fn outside_cargo(command: &mut Command) {
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
}

/// What a script that succeeds prints.
fn printed(name: &str, arguments: &[&str]) -> Result<String, Failed> {
    let output = run(name, arguments)?;
    if !output.status.success() {
        return Err(format!("{name} {arguments:?}: {}", errors(&output)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn usage() -> Result<(), Failed> {
    let mut findings = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(format!("{ROOT}/scripts"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // scripts/lib is for the scripts, and env.sh is only sourced.
        if entry.file_type()?.is_dir() || !fs::read_to_string(entry.path())?.starts_with("#!") {
            continue;
        }
        count += 1;
        for option in ["-h", "--help"] {
            let output = run(&name, &[option])?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let told = text.contains(&format!("scripts/{name}")) && !text.contains("set -eu");
            if !output.status.success() || !told {
                findings.push(format!("{name} {option}: {text}{}", errors(&output)));
            }
        }
    }
    assert!(count > 15, "{count} scripts");
    none("do not explain themselves", &findings)
}

/// A server that answers 503 so many times, and 200 from then on; and how often it was asked.
fn server(refusals: u32) -> Result<(String, Arc<AtomicU32>), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/healthz", listener.local_addr()?);
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let serve = move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let head = BufReader::new(&stream).lines();
            head.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
                .for_each(drop);
            let number = count.fetch_add(1, Ordering::Relaxed);
            let status = if number < refusals { 503 } else { 200 };
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
        }
    };
    thread::Builder::new().spawn(serve)?;
    Ok((url, asked))
}

fn answers() -> Result<(), Failed> {
    let (url, asked) = server(2)?;
    assert_eq!(printed("wait-for", &[&url, "30"])?, "");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    Ok(())
}

fn gives_up() -> Result<(), Failed> {
    let (url, asked) = server(u32::MAX)?;
    let output = run("wait-for", &[&url, "2"])?;
    assert!(!output.status.success(), "a 503 is no answer");
    let text = errors(&output);
    assert!(
        text.contains(&format!("{url} did not answer within 2 s")),
        "{text}"
    );
    assert!(asked.load(Ordering::Relaxed) > 1, "it asked only once");

    let mut ended = Command::new("true").spawn()?;
    ended.wait()?;
    let output = run("wait-for", &[&url, "60", &ended.id().to_string()])?;
    assert!(!output.status.success());
    assert!(
        errors(&output).contains("the server ended before"),
        "{}",
        errors(&output)
    );

    let output = run("wait-for", &[])?;
    assert!(!output.status.success());
    assert!(
        errors(&output).contains("needs a URL"),
        "{}",
        errors(&output)
    );
    Ok(())
}

fn secret() -> Result<(), Failed> {
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let line = printed("secret", &[])?;
        let text = line.strip_suffix('\n').ok_or("no whole line")?;
        // 32 bytes are 43 characters of base64 and one of padding.
        let body = text.strip_suffix('=').ok_or("no padding")?;
        let sound = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
        assert!(body.len() == 43 && body.chars().all(sound), "{body:?}");
        assert!(seen.insert(text.to_owned()), "the same twice");
    }
    Ok(())
}

/// Each line of the script is a case; it must have found all of them well.
fn environments() -> Result<(), Failed> {
    let told = printed("test-env-validation.sh", &[])?;
    let well = told.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(well > 40 && well == told.lines().count(), "{told}");
    Ok(())
}

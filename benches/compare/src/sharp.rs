//! sharp, the rival for pictures: a child process of node that answers lines.
//!
//! It is installed from npm into the folder of the build, on one's first run, and nowhere else. The
//! child lives as long as the bench, so that neither its start nor its warming up is measured.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// The version that figures are about; another one is another rival.
const VERSION: &str = "0.35";
const SCRIPT: &str = include_str!("sharp.js");

/// A running sharp.
#[derive(Debug)]
pub struct Sharp {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sharp {
    /// Starts it, and before that installs it below `place` if it is not there.
    ///
    /// # Errors
    ///
    /// A sentence that says what is missing and how to get it.
    pub fn start(place: &Path) -> Result<Self, String> {
        let folder = place.join("sharp");
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        if !folder.join("node_modules/sharp").exists() {
            let package = format!("sharp@{VERSION}");
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-fund", "--no-audit", "--silent", &package]);
            let status = npm.current_dir(&folder).status();
            if !status.is_ok_and(|status| status.success()) {
                return Err("npm could not install sharp: apt-get install nodejs npm".to_owned());
            }
        }
        let script = folder.join("sharp.js");
        fs::write(&script, SCRIPT).map_err(|e| format!("{}: {e}", script.display()))?;
        let mut node = Command::new("node");
        node.arg(&script).current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = node.spawn().map_err(|e| format!("node: {e}; apt-get install nodejs"))?;
        let (Some(asks), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("node has no pipes".to_owned());
        };
        Ok(Self { child, asks, answers: BufReader::new(answers) })
    }

    /// Asks one thing.
    ///
    /// # Errors
    ///
    /// What sharp says.
    pub fn ask(&mut self, asked: &Value) -> Result<Value, String> {
        let mut line = String::new();
        let told = writeln!(self.asks, "{asked}").and_then(|()| self.answers.read_line(&mut line));
        told.map_err(|e| format!("node: {e}"))?;
        let answer: Value = serde_json::from_str(&line).map_err(|e| format!("node: {e}"))?;
        match answer.get("error") {
            Some(error) => Err(format!("sharp on {asked}: {error}")),
            None => Ok(answer),
        }
    }

    /// Makes a set of a file: microseconds of processor time, and the bytes of both pictures.
    ///
    /// # Errors
    ///
    /// What sharp says.
    pub fn set(&mut self, file: &Path) -> Result<(f64, u64), String> {
        let answer = self.ask(&json!({ "op": "set", "file": file }))?;
        let bytes =
            answer["bytes"].as_array().map_or(0, |all| all.iter().filter_map(Value::as_u64).sum());
        answer["micros"].as_f64().map(|micros| (micros, bytes)).ok_or("no time".to_owned())
    }

    /// The pixels of the preview and of the thumbnail, red, green and blue.
    ///
    /// # Errors
    ///
    /// What sharp says.
    pub fn pixels(&mut self, file: &Path, place: &Path) -> Result<[Vec<u8>; 2], String> {
        let out: PathBuf = place.join("pixels");
        self.ask(&json!({ "op": "pixels", "file": file, "out": out }))?;
        let read = |end: &str| {
            let path = out.with_extension(end);
            fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))
        };
        Ok([read("600")?, read("300")?])
    }
}

impl Drop for Sharp {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

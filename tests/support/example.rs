//! Finds an example, as its user would run it.
//!
//! ```ignore
//! #[path = "support/example.rs"]
//! mod example;
//! ```

#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The example, which `cargo test` builds beside the tests; a test on its own builds it first.
pub(crate) fn find(name: &str, build: &[&str]) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let profile = tests.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--example", name]).args(build);
        assert!(cargo.status().unwrap().success());
    }
    path
}

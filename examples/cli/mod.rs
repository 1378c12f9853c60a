//! What the examples share: how a program begins and ends, and which database it opens.

#![allow(dead_code, reason = "each example uses its part")]
#![allow(clippy::print_stderr, reason = "a program talks to its user")]

use std::{
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
};

/// Does the task that the arguments ask for. Exit code 0 if all is well, 1 if not, 2 for wrong usage;
/// `None` of options is a call for help.
pub(crate) fn start<O, E: Display>(
    usage: &str,
    options: Result<Option<O>, lexopt::Error>,
    task: impl FnOnce(O) -> Result<bool, E>,
) -> ExitCode {
    let options = match options {
        Ok(Some(options)) => options,
        Ok(None) => {
            tell(usage);
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("{why}\n\n{usage}");
            return ExitCode::from(2);
        }
    };
    match task(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The database of that name: a SQLite file, or `postgresql://…` with the feature `postgres`.
#[cfg(feature = "sqlite")]
pub(crate) fn database(db: &str) -> finalmile::Builder {
    #[cfg(feature = "postgres")]
    if db.starts_with("postgres") {
        return finalmile::FinalMile::builder(finalmile::engines::Postgres::url(db));
    }
    finalmile::FinalMile::builder(finalmile::engines::Sqlite::file(db))
}

/// A line for whoever listens; the work goes on if nobody does.
pub(crate) fn tell(line: impl Display) {
    writeln!(io::stdout(), "{line}").ok();
}

/// A line, written whole and at once; a reader that has gone away ends the program.
pub(crate) fn say(line: &str) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

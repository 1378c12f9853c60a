//! What a bench was asked for on its command line.

use crate::rounds::Pace;

/// The arguments after `--`.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// Short rounds: for a look, not for a figure that is kept.
    pub quick: bool,
    /// Write the table into the README.
    pub write: bool,
    /// Only rows whose figure holds one of these words; all if there are none.
    pub rows: Vec<String>,
}

impl Args {
    /// Reads them, or ends the process with a word of advice.
    #[must_use]
    pub fn read() -> Self {
        let mut args = Self::default();
        for word in std::env::args().skip(1) {
            match word.as_str() {
                // Cargo adds this one.
                "--bench" => {}
                "--quick" => args.quick = true,
                "--write" => args.write = true,
                _ if word.starts_with('-') => {
                    end(&format!("{word}: not --quick, --write or a row"))
                }
                _ => args.rows.push(word),
            }
        }
        if args.write && !args.rows.is_empty() {
            end("--write keeps whole tables: leave the rows out");
        }
        args
    }

    /// How long to measure.
    #[must_use]
    pub fn pace(&self) -> Pace {
        if self.quick { Pace::QUICK } else { Pace::FULL }
    }

    /// Whether that row was asked for.
    #[must_use]
    pub fn wants(&self, figure: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| figure.contains(row.as_str()))
    }

    /// The command that gives the same run again, for the words after `cargo bench`.
    #[must_use]
    pub fn command(&self, bench: &str) -> String {
        let quick = if self.quick { " -- --quick" } else { "" };
        format!("cargo bench {bench}{quick}")
    }
}

/// Says why nothing was measured or written, and ends the process with 2.
pub fn end(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(2)
}

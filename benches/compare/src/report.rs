//! The figures as a table: on the screen, and between two markers of the README.
//!
//! Rows that fall short stay in: a table that only wins is not believed.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::rounds::Runs;

/// What a figure is measured against, in words and as a ratio of ours to the rival's.
#[derive(Clone, Copy, Debug)]
pub enum Bar {
    /// Ours should be at least that many times the rival's.
    AtLeast(f64),
    /// Ours should be at most that many times the other's.
    AtMost(f64),
    /// Nothing was hoped for: shown so that the others can be judged.
    None,
}

/// What the runs counted.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// Operations per second.
    PerSecond,
    /// Microseconds of processor time per operation.
    CpuMicros,
    /// Milliseconds of processor time per operation.
    CpuMillis,
    /// Milliseconds that passed.
    Millis,
    /// Nanoseconds of processor time per check.
    CpuNanos,
    /// Nanoseconds that passed per check.
    Nanos,
    /// Nanoseconds that passed, shown as microseconds.
    Micros,
    /// Bytes, of memory per key or of files.
    Bytes,
    /// Millions of bytes.
    Megabytes,
    /// Decibels.
    Decibels,
    /// Hundredth parts.
    Percent,
    /// Commits, each with a sync of its own, per operation.
    Commits,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub figure: String,
    /// Against whom.
    pub rival: String,
    /// What the numbers count.
    pub unit: Unit,
    /// Our runs and the rival's.
    pub runs: [Runs; 2],
    /// What was hoped for.
    pub bar: Bar,
}

impl Row {
    /// Ours divided by the rival's, medians.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.runs[0].median() / self.runs[1].median()
    }

    fn verdict(&self) -> String {
        let met = match self.bar {
            Bar::AtLeast(bar) if self.ratio() >= bar => "met",
            Bar::AtMost(bar) if self.ratio() <= bar => "met",
            Bar::AtLeast(_) | Bar::AtMost(_) => "short",
            Bar::None => "shown",
        };
        let noise = if self.runs[1].is_quiet() { "" } else { ", noisy" };
        format!("{met}{noise}")
    }

    fn line(&self) -> String {
        let bar = match self.bar {
            Bar::AtLeast(bar) => format!("≥ {bar}x"),
            Bar::AtMost(bar) => format!("≤ {bar}x"),
            Bar::None => "none".to_owned(),
        };
        let [ours, rivals] = self.runs.each_ref().map(|runs| self.unit.text(runs));
        let Self { figure, rival, .. } = self;
        let (ratio, verdict) = (digits(self.ratio()), self.verdict());
        format!("| {figure} | {rival} | {ours} | {rivals} | {ratio}x | {bar} | {verdict} |")
    }
}

impl Unit {
    /// The median, and from where to where the runs went.
    fn text(self, runs: &Runs) -> String {
        let (median, min, max) = (runs.median(), runs.min(), runs.max());
        match self {
            Self::PerSecond => {
                let [median, min, max] = [median, min, max].map(grouped);
                format!("{median}/s ({min} to {max})")
            }
            Self::CpuMicros => format!("{median:.1} µs ({min:.1} to {max:.1})"),
            Self::CpuMillis | Self::Millis => format!("{median:.1} ms ({min:.1} to {max:.1})"),
            Self::Megabytes => format!("{median:.1} MB ({min:.1} to {max:.1})"),
            Self::Percent => format!("{median:.1} % ({min:.1} to {max:.1})"),
            Self::Decibels => format!("{median:.1} dB"),
            Self::CpuNanos | Self::Nanos => format!("{median:.1} ns ({min:.1} to {max:.1})"),
            Self::Micros => {
                let [median, min, max] = [median, min, max].map(|nanos| digits(nanos / 1e3));
                format!("{median} µs ({min} to {max})")
            }
            Self::Commits => format!("{median:.2} commits ({min:.2} to {max:.2})"),
            Self::Bytes => format!("{median:.1} B ({min:.1} to {max:.1})"),
        }
    }
}

/// A table that grows row by row on the screen.
#[derive(Clone, Debug)]
pub struct Report {
    section: &'static str,
    input: String,
    command: String,
    lines: Vec<String>,
}

impl Report {
    /// Starts the table of a section; `input` says what was measured on what.
    #[must_use]
    pub fn new(section: &'static str, input: &str, command: String) -> Self {
        let head = [
            "| figure | rival | ours | rival's | ratio | bar | verdict |",
            "|---|---|---|---|---|---|---|",
        ];
        head.iter().for_each(|line| println!("{line}"));
        let lines = head.map(str::to_owned).into();
        Self { section, input: input.to_owned(), command, lines }
    }

    /// Adds a row and shows it.
    pub fn row(&mut self, row: &Row) {
        let line = row.line();
        println!("{line}");
        self.lines.push(line);
    }

    /// Shows where, on what, how and when the figures came about.
    pub fn end(&mut self) {
        let line = format!(
            "Medians, with the lowest and highest run. Noisy: the rival's own runs differ by more \
             than 10 %.\n{}. {}. `{}`, {}.",
            machine(),
            self.input,
            self.command,
            today(),
        );
        println!("\n{line}");
        self.lines.push(format!("\n{line}"));
    }

    /// Writes the table between `<!-- figures:SECTION -->` and `<!-- /figures:SECTION -->`.
    ///
    /// # Errors
    ///
    /// A sentence, when the README cannot be read or written or lacks the markers. It is unchanged.
    pub fn write(&self) -> Result<(), String> {
        let path = readme();
        let failed = |e| format!("{}: {e}", path.display());
        let text = fs::read_to_string(&path).map_err(failed)?;
        let text = between_markers(&text, self.section, &self.lines.join("\n"))
            .map_err(|missing| format!("{}: no line {missing}", path.display()))?;
        fs::write(&path, text).map_err(failed)
    }
}

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")
}

/// Replaces what stands between a section's markers, or names the marker that is missing.
fn between_markers(text: &str, section: &str, table: &str) -> Result<String, String> {
    let open = format!("<!-- figures:{section} -->");
    let close = format!("<!-- /figures:{section} -->");
    let Some((before, rest)) = text.split_once(&open) else { return Err(open) };
    let Some((_, after)) = rest.split_once(&close) else { return Err(close) };
    Ok(format!("{before}{open}\n\n{table}\n\n{close}{after}"))
}

/// Processor, cores and system.
fn machine() -> String {
    let value = |path: &str, name: &str, mark: char| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let value = line.split_once(mark).map_or("unknown", |(_, value)| value);
        value.trim().trim_matches('"').to_owned()
    };
    let cpu = value("/proc/cpuinfo", "model name", ':');
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let system = value("/etc/os-release", "PRETTY_NAME", '=');
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cpu}, {cores} cores, {system}, Linux {}", kernel.trim())
}

/// The date in UTC, as `2026-01-31`.
#[expect(clippy::disallowed_methods, reason = "figures bear the day they were measured")]
fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date(i64::try_from(since.as_secs() / 86_400).unwrap_or_default())
}

/// Source: Howard Hinnant, `chrono`-Compatible Low-Level Date Algorithms, `civil_from_days`.
fn date(days_since_1970: i64) -> String {
    let days = days_since_1970 + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year}-{month:02}-{:02}", day - (153 * march + 2) / 5 + 1)
}

/// Two decimals, and as many more as a small number needs to be seen.
fn digits(number: f64) -> String {
    match number {
        0.0..0.01 => format!("{number:.5}"),
        _ => format!("{number:.2}"),
    }
}

/// A whole number with a comma every three digits.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        let _ = write!(text, "{digit}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_replaces_what_stood_between_its_markers() {
        let text = "a\n<!-- figures:x -->\nold\n<!-- /figures:x -->\nb\n";
        let new = between_markers(text, "x", "new").unwrap();
        assert_eq!(new, "a\n<!-- figures:x -->\n\nnew\n\n<!-- /figures:x -->\nb\n");
        assert_eq!(between_markers(&new, "x", "new"), Ok(new.clone()));
    }

    #[test]
    fn a_missing_marker_is_named() {
        let open = "<!-- figures:x -->".to_owned();
        assert_eq!(between_markers("", "x", ""), Err(open.clone()));
        assert_eq!(between_markers(&open, "x", ""), Err("<!-- /figures:x -->".to_owned()));
    }

    #[test]
    fn days_become_dates() {
        let dates = [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_778, "2026-11-21")];
        dates.iter().for_each(|(days, text)| assert_eq!(date(*days), *text));
    }

    #[test]
    fn a_row_says_how_it_compares_and_whether_the_rival_agreed_with_itself() {
        let runs = |figures: &[f64]| {
            let mut runs = Runs::default();
            figures.iter().for_each(|figure| runs.push(*figure));
            runs
        };
        let row = Row {
            figure: "1 caller".to_owned(),
            rival: "by hand".to_owned(),
            unit: Unit::PerSecond,
            runs: [runs(&[4_000.0, 3_000.0, 1_000_000.0]), runs(&[2_000.0, 1_900.0, 2_100.0])],
            bar: Bar::AtLeast(2.5),
        };
        assert_eq!(
            row.line(),
            "| 1 caller | by hand | 4,000/s (3,000 to 1,000,000) | 2,000/s (1,900 to 2,100) \
             | 2.00x | ≥ 2.5x | short |"
        );
    }

    #[test]
    fn a_row_without_a_bar_is_shown() {
        let row = |unit, bar| Row {
            figure: "a check".to_owned(),
            rival: "another".to_owned(),
            unit,
            runs: [[10.0, 12.0], [10_000.0, 12_000.0]].map(|figures| {
                let mut runs = Runs::default();
                figures.into_iter().for_each(|figure| runs.push(figure));
                runs
            }),
            bar,
        };
        assert_eq!(
            row(Unit::CpuNanos, Bar::None).line(),
            "| a check | another | 11.0 ns (10.0 to 12.0) | 11000.0 ns (10000.0 to 12000.0) \
             | 0.00100x | none | shown, noisy |"
        );
        assert_eq!(
            row(Unit::Micros, Bar::AtMost(0.001)).line(),
            "| a check | another | 0.01 µs (0.01 to 0.01) | 11.00 µs (10.00 to 12.00) \
             | 0.00100x | ≤ 0.001x | met, noisy |"
        );
        let bytes = row(Unit::Bytes, Bar::None).line();
        assert!(bytes.contains("| 11.0 B (10.0 to 12.0) |"), "{bytes}");
        let commits = row(Unit::Commits, Bar::None).line();
        assert!(commits.contains("| 11.00 commits (10.00 to 12.00) |"), "{commits}");
    }
}

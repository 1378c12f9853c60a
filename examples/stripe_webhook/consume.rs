//! Events from files: signed, and consumed without a server.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use finalmile::{
    Error, FinalMile, SystemWorld, World as _,
    webhook::{BODY_BYTES_MAX, Consumed},
};
use serde_json::json;

use crate::{
    cli::say,
    open,
    options::{Consume, Sign},
};

/// Why an event was not stored.
struct Refused {
    code: &'static str,
    why: String,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { code: error.code(), why: error.to_string() }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self { code: "FILE_UNREADABLE", why: error.to_string() }
    }
}

/// Consumes each event and says what became of it; whether all were stored.
pub(crate) fn consume(task: &Consume) -> bool {
    let fm = match open(&task.db, task.now) {
        Ok(fm) => fm,
        Err(error) => {
            let refused = Refused::from(error);
            task.events.iter().for_each(|(_, file)| refused.tell(file));
            return false;
        }
    };
    let mut all_stored = true;
    for (header, file) in &task.events {
        match one(&fm, task, header, file) {
            Ok(consumed) => tell(&consumed),
            Err(refused) => {
                refused.tell(file);
                all_stored = false;
            }
        }
    }
    all_stored
}

fn one(fm: &FinalMile, task: &Consume, header: &str, file: &Path) -> Result<Consumed, Refused> {
    let now = task.now.unwrap_or_else(|| SystemWorld.now());
    let event = task.stripe.verify_at(&read(file)?, header, now)?;
    Ok(fm.webhooks().consume(&event).wait()?)
}

/// Prints the header that Stripe would send.
pub(crate) fn sign(task: &Sign) -> io::Result<()> {
    let now = task.now.unwrap_or_else(|| SystemWorld.now());
    let header = task.stripe.sign_for_tests(&read(&task.event)?, now.micros() / 1_000_000);
    say(&format!("Stripe-Signature: {header}"));
    Ok(())
}

/// A body, byte for byte; of one that is too long, enough to see that it is.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let (mut body, most) = (Vec::new(), BODY_BYTES_MAX as u64 + 1);
    if file == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut body)?;
    } else {
        File::open(file)?.take(most).read_to_end(&mut body)?;
    }
    Ok(body)
}

fn tell(consumed: &Consumed) {
    let Consumed { event, kind, outcome, code, credited, .. } = consumed;
    if let Some(reason) = &consumed.reason {
        eprintln!("{event}: {reason}");
    }
    say(&format!(
        r#"{{"id":{},"type":{},"outcome":"{}","code":{},"credited":{}}}"#,
        json!(event.id()),
        json!(kind),
        outcome.as_str(),
        json!(code),
        credited.get()
    ));
}

impl Refused {
    fn tell(&self, file: &Path) {
        let Self { code, why } = self;
        eprintln!("{}: {why}", file.display());
        say(&format!(
            r#"{{"id":null,"type":null,"outcome":"refused","code":"{code}","credited":0}}"#
        ));
    }
}

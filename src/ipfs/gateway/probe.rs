//! What a gateway can do, found out with the empty block, which every gateway has.
//!
//! A good status proves nothing: some answer with the whole file to whatever form is asked for. The type of
//! the answer tells.

use crate::time::Deadline;

use super::super::cid::Cid;
use super::super::path::ContentPath;
use super::ask::{Ask, Fault, Form};
use super::duration_us;
use super::session::Session;
use super::site::Knows;
use super::transfer::Pumps;

/// For how long an answer holds.
const HOLDS_US: u64 = 3_600 * 1_000_000;

/// Asks the gateways that were not asked lately, all at once; goes on as soon as one has answered and the
/// others are late.
pub(super) fn probe(session: &Session<'_>) -> Result<(), Fault> {
    let Ok(empty) = Cid::from_bytes(&[1, 0x55, 0, 0]) else { return Ok(()) };
    let asks = [Form::Raw, Form::Car].map(|form| Ask::new(form, &ContentPath::from(empty.clone())));
    let pumps = Pumps::new();
    let mut waiting = Vec::new();
    let mut known = 0;
    for (place, site) in session.inner.sites.iter().enumerate() {
        let now = session.now();
        let mut record = site.record();
        let age = record.probed_at.map(|at| (at <= now).then(|| duration_us(now, at)));
        if matches!(age, Some(Some(age)) if age < HOLDS_US) {
            known += 1;
            continue;
        }
        if record.waits_until(now).is_some() {
            continue;
        }
        record.probed_at = Some(now);
        drop(record);
        for (number, ask) in asks.iter().enumerate() {
            let request = ask.request(&site.gateway).timeouts(session.options().timeouts);
            let slot = place * asks.len() + number;
            waiting.push((slot, pumps.start(&session.inner.fetcher, request, slot)));
        }
    }
    let (late, idle) = (
        Deadline::after(session.options().hedge_after),
        Deadline::after(session.options().timeouts.idle),
    );
    while !waiting.is_empty() {
        session.stop()?;
        if idle.is_over() || known > 0 && late.is_over() {
            break;
        }
        let Some(began) = pumps.wait() else { continue };
        waiting.retain(|(slot, _)| *slot != began.slot);
        let (place, number) = (began.slot / asks.len(), began.slot % asks.len());
        let (Some(site), Some(ask)) = (session.inner.sites.get(place), asks.get(number)) else {
            continue;
        };
        let judged = session.judge(ask, began.head);
        let is_page = matches!(judged, Err(Fault::Page));
        let knows = match judged {
            Ok(head) if head.is_marked => Knows::Yes,
            // It answers, and with something else.
            Ok(_) | Err(Fault::Form | Fault::Page) => Knows::No,
            // It may have no block but its owner's.
            Err(Fault::Absent | Fault::Refused(_) | Fault::Range) => Knows::Perhaps,
            Err(fault) => {
                site.record().probed_at = None;
                if number == 0 {
                    session.blame(place, &ask.form, fault);
                }
                continue;
            }
        };
        let mut record = site.record();
        if is_page {
            // Perhaps it is not the gateway that answers: the next fetch looks again.
            record.probed_at = None;
        }
        match ask.form {
            Form::Car => record.car = knows,
            _ => record.raw = knows,
        }
        known += 1;
    }
    // Who did not answer is asked again by the next fetch.
    for (slot, _) in waiting {
        if let Some(site) = session.inner.sites.get(slot / asks.len()) {
            site.record().probed_at = None;
        }
    }
    Ok(())
}

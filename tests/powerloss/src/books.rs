//! The books: what must hold in every database that was ever closed, killed or cut off.
//!
//! Each rule is a question to the tables whose answer must be empty.

use finalmile::{
    Actor, FinalMile,
    rusqlite::{self, Connection, types::Value},
};

use crate::script::ACCOUNTS;

/// A rule's words, and the rows that break it.
const RULES: &[(&str, &str)] = &[
    (
        "a balance is the sum of its entries",
        "SELECT a.id, a.balance, sum(e.amount) FROM fm_account a
         LEFT JOIN fm_entry e ON e.account = a.id
         GROUP BY a.id HAVING a.balance <> coalesce(sum(e.amount), 0)",
    ),
    (
        "what is reserved is the sum of pending reservations",
        "SELECT a.id, a.reserved, sum(r.amount) FROM fm_account a
         LEFT JOIN fm_reservation r ON r.account = a.id AND r.state = 'pending'
         GROUP BY a.id HAVING a.reserved <> coalesce(sum(r.amount), 0)",
    ),
    (
        "what is free is never negative",
        "SELECT id, balance, reserved FROM fm_account WHERE reserved < 0 OR reserved > balance",
    ),
    (
        "each entry's balance is the one before and its amount",
        "SELECT account, seq, balance FROM (SELECT account, seq, balance,
             balance - amount - lag(balance, 1, 0) OVER (PARTITION BY account ORDER BY seq) AS rest
             FROM fm_entry) WHERE rest <> 0",
    ),
    (
        "no entry is newer than its account",
        "SELECT e.account, e.seq, a.version FROM fm_entry e
         LEFT JOIN fm_account a ON a.id = e.account WHERE a.id IS NULL OR e.seq > a.version",
    ),
    (
        "a purchase has one claim and a claim one purchase",
        "SELECT p.reference, r.reference, p.credits, r.credits FROM fm_purchase p
         FULL JOIN fm_purchase_ref r ON r.account = p.account AND r.purchase = p.id
             AND r.reference = p.reference AND r.credits = p.credits
         WHERE p.id IS NULL OR r.purchase IS NULL",
    ),
    (
        "purchases and their entries are the same",
        "SELECT account, credits, count(*) FROM (
             SELECT account, credits FROM fm_purchase
             UNION ALL SELECT account, amount FROM fm_entry WHERE kind = 'purchase')
         GROUP BY account, credits HAVING count(*) % 2 <> 0",
    ),
    (
        "what was settled was spent",
        "SELECT a.id FROM fm_account a WHERE
             (SELECT coalesce(sum(amount), 0) FROM fm_entry e
                 WHERE e.account = a.id AND e.kind IN ('settle', 'upload'))
             <> -(SELECT coalesce(sum(settled), 0) FROM fm_reservation r WHERE r.account = a.id)",
    ),
    (
        "a reservation that ended says when, and one that was not settled spent nothing",
        "SELECT account, state, settled FROM fm_reservation
         WHERE (state = 'pending') <> (ended_at IS NULL) OR (state <> 'settled' AND settled <> 0)",
    ),
    (
        "an upload and its reservation end together",
        "SELECT u.account, u.status, r.state, r.settled, u.credits FROM fm_upload u
         LEFT JOIN fm_reservation r ON r.account = u.account AND r.id = u.id
         WHERE NOT coalesce(CASE u.status
             WHEN 'pending' THEN r.state = 'pending'
             WHEN 'complete' THEN r.state = 'settled' AND r.settled = u.credits
             ELSE r.state IN ('released', 'expired') END, 0)",
    ),
    (
        "a complete upload has its share and a share its complete upload",
        "SELECT u.account, u.status, s.ipfs_cid FROM fm_upload u
         FULL JOIN fm_media_share s ON s.id = u.share AND s.upload = u.id AND s.account = u.account
         WHERE (u.status IS 'complete') <> (s.id IS NOT NULL)",
    ),
    (
        "a key names what was done under it",
        "SELECT o.scope, o.key, o.outcome FROM fm_once o
         LEFT JOIN fm_reservation r ON lower(hex(r.id)) = replace(o.outcome, '-', '')
         LEFT JOIN fm_entry e ON lower(hex(e.transfer)) = replace(substr(o.outcome, 1, 36), '-', '')
         WHERE r.id IS NULL AND e.transfer IS NULL",
    ),
    (
        "all sides of a transfer sum to zero",
        "SELECT transfer, sum(credits) FROM ledger_entries GROUP BY transfer
         HAVING sum(credits) <> 0",
    ),
    (
        "what was reserved has one key",
        "SELECT r.account, r.amount, count(o.key) FROM fm_reservation r
         LEFT JOIN fm_once o ON lower(hex(r.id)) = replace(o.outcome, '-', '')
         GROUP BY r.account, r.id HAVING count(o.key) <> 1",
    ),
    (
        "an audit's head counts its rows",
        "SELECT h.subject, h.length, count(a.seq) FROM fm_audit_head h
         LEFT JOIN fm_audit a ON a.subject = h.subject
         GROUP BY h.subject HAVING h.length <> count(a.seq)",
    ),
];

/// Which rules are broken, and where: empty for good books.
#[must_use]
pub fn books(fm: &FinalMile, db: &Connection) -> Vec<String> {
    let mut found = Vec::new();
    let sound = db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    if sound.as_deref() != Ok("ok") {
        found.push(format!("the file is damaged: {sound:?}"));
    }
    for (rule, question) in RULES {
        match rows(db, question) {
            Ok(rows) if rows.is_empty() => {}
            Ok(rows) => found.push(format!("{rule}, but {rows:?}")),
            Err(error) => found.push(format!("{rule}: {error}")),
        }
    }
    match fm.ledger().verify(None).wait() {
        Ok(proof) => found.extend(proof.breaks.iter().map(ToString::to_string)),
        Err(error) => found.push(format!("the ledger: {error}")),
    }
    for account in ACCOUNTS {
        let Ok(actor) = Actor::new("auditor") else { continue };
        if let Err(error) = fm.admin(actor).audit(&format!("account:{account}")) {
            found.push(format!("the audit of {account}: {error}"));
        }
    }
    found
}

fn rows(db: &Connection, question: &str) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = db.prepare(question)?;
    let count = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..count).map(|at| row.get(at)).collect();
    statement.query_map([], row)?.collect()
}

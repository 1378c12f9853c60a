//! What moves credits besides purchases and reservations: refunds, chargebacks, returns, transfers,
//! batches.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use finalmile::{
    AccountId, Credits, PaymentReference, Provider, PurchaseId, Refusal, ReservationId, TransferId,
    ledger::{
        AddCredits, BATCH_MAX, EntryKind, Operation, Outcome, Party, ReservationState, Reserve,
        Transfer,
    },
};
use world::{World, code, key, purchase};

const HOUR: Duration = Duration::from_secs(3_600);

fn payment(reference: &str) -> (Provider, PaymentReference) {
    ("stripe".parse().unwrap(), reference.parse().unwrap())
}

fn some(credits: i64) -> Option<Credits> {
    Some(Credits::new(credits))
}

/// A world in which bob has an account too.
fn two() -> (World, AccountId) {
    let (world, bob) = (World::new(), AccountId::new("bob").unwrap());
    world.fm.ledger().add_credits(purchase(&bob, 10, "pi_bob")).wait().unwrap();
    (world, bob)
}

fn sound(world: &World) {
    let proof = world.fm.ledger().verify(None).wait().unwrap();
    assert!(proof.is_sound(), "{:?}", proof.breaks);
}

fn transfer(world: &World, from: &AccountId, to: &AccountId, amount: i64, name: &str) -> Operation {
    Operation::Transfer(Transfer {
        id: TransferId::fresh(&*world.clock),
        from: from.clone(),
        to: to.clone(),
        amount: Credits::new(amount),
        key: key(name),
    })
}

#[test]
fn l9_never_more_is_taken_back_than_was_bought() {
    let world = World::new();
    let ledger = world.fm.ledger();
    let refund =
        |credits, name| ledger.refund(&world.ada, payment("pi_0"), credits, &key(name)).wait();
    let first = refund(some(300), "re_1").unwrap();
    assert_eq!((first.balance.get(), first.replayed), (700, false));
    let again = refund(some(300), "re_1").unwrap();
    assert_eq!((again.transfer, again.balance.get(), again.replayed), (first.transfer, 700, true));
    assert_eq!(code(refund(some(299), "re_1")), "IDEMPOTENCY_CONFLICT");
    assert_eq!(code(refund(some(701), "re_2")), "AMOUNT_TOO_LARGE");
    assert_eq!(refund(None, "re_3").unwrap().credits.get(), 700, "all that is left");
    assert_eq!(code(refund(None, "re_4")), "AMOUNT_TOO_LARGE", "nothing is left");
    for bad in [0, -1, i64::MIN] {
        assert_eq!(code(refund(some(bad), "re_5")), "INVALID_REQUEST");
    }
    let record = &ledger.purchases(&world.ada, None).wait().unwrap().rows[0];
    assert_eq!((record.credits.get(), record.refunded.get()), (1_000, 1_000));
    assert_eq!(world.balance(), 0);
    sound(&world);
}

#[test]
fn l9_only_the_buyers_own_purchase_is_taken_back_and_only_what_is_free() {
    let (world, bob) = two();
    let ledger = world.fm.ledger();
    let others = ledger.refund(&bob, payment("pi_0"), some(1), &key("re_1")).wait();
    assert_eq!(code(others), "PURCHASE_NOT_FOUND");
    let none = ledger.refund(&world.ada, payment("pi_none"), some(1), &key("re_1")).wait();
    assert_eq!(code(none), "PURCHASE_NOT_FOUND");
    ledger.reserve(&world.ada, Credits::new(900), HOUR, &key("r")).wait().unwrap();
    let held = ledger.refund(&world.ada, payment("pi_0"), some(101), &key("re_2")).wait();
    assert_eq!(code(held), "STORAGE_LIMIT_REACHED");
    world.admin().freeze(&world.ada, "fraud", None).wait().unwrap();
    let frozen = ledger.refund(&world.ada, payment("pi_0"), some(100), &key("re_2")).wait();
    assert_eq!(frozen.unwrap().balance.get(), 900, "a frozen account can be refunded");
    sound(&world);
}

#[test]
fn l10_what_a_chargeback_cannot_take_is_owed_and_the_next_credits_repay_it() {
    let world = World::new();
    let ledger = world.fm.ledger();
    let held = ledger.reserve(&world.ada, Credits::new(700), HOUR, &key("r")).wait().unwrap();
    let back = ledger.chargeback(&world.ada, payment("pi_0"), None, &key("dp_1")).wait().unwrap();
    assert_eq!((back.balance.get(), back.debt.get()), (700, 700), "what is reserved stays");
    assert_eq!(world.available(), 0);
    ledger.settle(&world.ada, held, None).wait().unwrap();
    assert_eq!(world.balance(), 0, "never below zero");
    sound(&world);

    let receipt = ledger.add_credits(purchase(&world.ada, 500, "pi_1")).wait().unwrap();
    assert_eq!((receipt.credits.get(), receipt.balance.get()), (500, 0));
    let receipt = ledger.add_credits(purchase(&world.ada, 500, "pi_2")).wait().unwrap();
    assert_eq!(receipt.balance.get(), 300, "the rest of the debt came first");
    let ada = ledger.account(&world.ada).wait().unwrap().unwrap();
    assert_eq!(ada.debt.get(), 0);
    let entries = ledger.entries(&world.ada, None).wait().unwrap().rows;
    let story: Vec<_> = entries.iter().map(|e| (e.kind, e.amount.get(), e.owed.get())).collect();
    assert_eq!(
        story,
        [
            (EntryKind::Purchase, 300, -200),
            (EntryKind::Purchase, 0, -500),
            (EntryKind::Settle, -700, 0),
            (EntryKind::Chargeback, -300, 700),
            (EntryKind::Purchase, 1_000, 0),
        ]
    );
    assert_eq!(entries[3].original, Some(entries[4].transfer), "it names what it takes back");
    sound(&world);
}

#[test]
fn l10_what_was_set_aside_before_a_chargeback_cannot_be_spent_elsewhere_after_it() {
    let (world, bob) = two();
    let ledger = world.fm.ledger();
    let held = ledger.reserve(&world.ada, Credits::new(1_000), HOUR, &key("r")).wait().unwrap();
    let begin = |name| world.fm.uploads().begin(&world.ada, 1 << 20, &key(name)).wait();
    ledger.chargeback(&world.ada, payment("pi_0"), None, &key("dp")).wait().unwrap();
    ledger.release(&world.ada, held).wait().unwrap();
    assert_eq!((world.balance(), world.available()), (1_000, 0));
    let give = ledger.transfer(&world.ada, &bob, Credits::new(1), &key("t")).wait();
    assert_eq!(code(give), "STORAGE_LIMIT_REACHED");
    assert_eq!(code(begin("u")), "STORAGE_LIMIT_REACHED");
    let receipt = ledger.add_credits(purchase(&world.ada, 150, "pi_1")).wait().unwrap();
    assert_eq!((receipt.balance.get(), world.available()), (1_000, 150));
    begin("u").unwrap();
    sound(&world);
}

#[test]
fn l11_a_transfer_moves_both_sides_once() {
    let (world, bob) = two();
    let ledger = world.fm.ledger();
    let give =
        |amount, name| ledger.transfer(&world.ada, &bob, Credits::new(amount), &key(name)).wait();
    let first = give(400, "t").unwrap();
    assert_eq!((first.balance.get(), give(400, "t").unwrap().replayed), (600, true));
    assert_eq!(code(give(401, "t")), "IDEMPOTENCY_CONFLICT");
    assert_eq!(code(give(601, "u")), "STORAGE_LIMIT_REACHED");
    for bad in [0, -5, i64::MIN] {
        assert_eq!(code(give(bad, "u")), "INVALID_REQUEST");
    }
    let balance = |who| ledger.account(who).wait().unwrap().unwrap().balance.get();
    assert_eq!((balance(&world.ada), balance(&bob)), (600, 410));
    let own = ledger.transfer(&bob, &bob, Credits::new(1), &key("o")).wait();
    assert_eq!(code(own), "INVALID_REQUEST");
    let nobody = AccountId::new("nobody").unwrap();
    let lost = ledger.transfer(&bob, &nobody, Credits::new(1), &key("o")).wait();
    assert_eq!(code(lost), "ACCOUNT_NOT_FOUND");
    world.admin().freeze(&bob, "spam", None).wait().unwrap();
    let frozen = ledger.transfer(&bob, &world.ada, Credits::new(1), &key("o")).wait();
    assert_eq!(code(frozen), "ACCOUNT_FROZEN");
    give(1, "v").unwrap();
    let entry = ledger.entries(&bob, None).wait().unwrap().rows.swap_remove(0);
    assert_eq!((entry.amount.get(), entry.contra), (1, Party::Account(world.ada.clone())));
    sound(&world);
}

#[test]
fn l11_one_hundred_threads_with_one_key_transfer_once() {
    let (world, bob) = two();
    let applied: usize = std::thread::scope(|scope| {
        let give = || {
            let done = world.fm.ledger().transfer(&world.ada, &bob, Credits::new(7), &key("t"));
            usize::from(!done.wait().unwrap().replayed)
        };
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(give)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((applied, world.balance()), (1, 993));
}

#[test]
fn l12_a_linked_batch_happens_as_a_whole_or_not_at_all() {
    let (world, bob) = two();
    let ledger = world.fm.ledger();
    let to_bob = |amount, name| transfer(&world, &world.ada, &bob, amount, name);
    let to_ada = |amount, name| transfer(&world, &bob, &world.ada, amount, name);
    // The second only works because of the first; the third never does.
    let refused =
        ledger.linked(vec![to_bob(500, "a"), to_ada(505, "b"), to_bob(9_999, "c")]).wait();
    let error = refused.unwrap_err();
    assert_eq!(error.code(), "STORAGE_LIMIT_REACHED");
    assert!(error.to_string().starts_with("operation 2 of the batch: ada needs 9999"), "{error}");
    assert_eq!(world.balance(), 1_000);
    let batch = || vec![to_bob(500, "a"), to_ada(505, "b")];
    assert_eq!(ledger.linked(batch()).wait().unwrap().len(), 2);
    assert_eq!(world.balance(), 1_005);
    let again = ledger.linked(batch()).wait().unwrap();
    assert!(again.iter().all(|one| matches!(one, Outcome::Transferred(t) if t.replayed)));
    assert_eq!(world.balance(), 1_005);
    sound(&world);
}

#[test]
fn l12_in_an_independent_batch_each_has_an_answer_of_its_own() {
    let (world, bob) = two();
    let ledger = world.fm.ledger();
    let id = PurchaseId::fresh(&*world.clock);
    let batch = vec![
        transfer(&world, &world.ada, &bob, 5_000, "a"),
        Operation::AddCredits(AddCredits::new(id, purchase(&world.ada, 4_500, "pi_9")).unwrap()),
        transfer(&world, &world.ada, &bob, 5_000, "a"),
        Operation::Reserve(Reserve {
            account: bob.clone(),
            id: ReservationId::fresh(&*world.clock),
            amount: Credits::new(5_010),
            ttl: HOUR,
            key: key("r"),
        }),
    ];
    let answers = ledger.batch(batch).wait().unwrap();
    assert!(matches!(answers[0], Err(Refusal::InsufficientCredits { .. })));
    assert!(answers[1..].iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(world.balance(), 500);
    let many = vec![transfer(&world, &bob, &bob, 1, "x"); BATCH_MAX + 1];
    assert_eq!(code(ledger.batch(many.clone()).wait()), "INVALID_REQUEST");
    assert_eq!(code(ledger.linked(many).wait()), "INVALID_REQUEST");
    sound(&world);
}

#[test]
fn a_version_that_moved_meanwhile_refuses_the_batch() {
    let (world, bob) = two();
    let ledger = world.fm.ledger();
    let version = ledger.account(&world.ada).wait().unwrap().unwrap().version;
    let expect = || Operation::Expect { account: world.ada.clone(), version };
    let batch = |name| vec![expect(), transfer(&world, &world.ada, &bob, 10, name)];
    assert_eq!(ledger.linked(batch("a")).wait().unwrap()[0], Outcome::AsExpected);
    assert_eq!(code(ledger.linked(batch("b")).wait()), "VERSION_CONFLICT");
    assert_eq!(world.balance(), 990);
}

#[test]
fn l17_an_uploads_own_reservation_ends_with_the_upload_only() {
    let world = World::new();
    let begun = world.fm.uploads().begin(&world.ada, 1 << 20, &key("a")).wait().unwrap();
    let held = ReservationId::from_bytes(*begun.upload_id.as_bytes());
    let ledger = world.fm.ledger();
    assert_eq!(code(ledger.release(&world.ada, held).wait()), "RESERVATION_NOT_FOUND");
    assert_eq!(code(ledger.settle(&world.ada, held, None).wait()), "RESERVATION_NOT_FOUND");
    assert_eq!(world.available(), 900);
    let kept = ledger.reservation(&world.ada, held).wait().unwrap().unwrap();
    assert_eq!(kept.state, ReservationState::Pending);
}

#[test]
fn l18_what_was_settled_comes_back_once() {
    let world = World::new();
    let ledger = world.fm.ledger();
    let held = ledger.reserve(&world.ada, Credits::new(100), HOUR, &key("r")).wait().unwrap();
    let back = |credits, name| ledger.return_credits(&world.ada, held, credits, &key(name)).wait();
    assert_eq!(code(back(None, "x")), "RESERVATION_NOT_PENDING", "nothing is settled yet");
    ledger.settle(&world.ada, held, some(60)).wait().unwrap();
    let first = back(some(20), "a").unwrap();
    assert_eq!((first.balance.get(), back(some(20), "a").unwrap().replayed), (960, true));
    assert_eq!(code(back(some(41), "b")), "AMOUNT_TOO_LARGE");
    assert_eq!(back(None, "b").unwrap().balance.get(), 1_000);
    assert_eq!(code(back(None, "c")), "AMOUNT_TOO_LARGE");
    assert_eq!(code(back(some(0), "c")), "INVALID_REQUEST");
    assert_eq!(ledger.reservation(&world.ada, held).wait().unwrap().unwrap().returned.get(), 60);
    sound(&world);
}

#[test]
fn l8_every_side_of_every_transfer_sums_to_zero() {
    let (world, bob) = two();
    let ledger = world.fm.ledger();
    ledger.transfer(&world.ada, &bob, Credits::new(300), &key("t")).wait().unwrap();
    ledger.chargeback(&bob, payment("pi_bob"), None, &key("d")).wait().unwrap();
    let held = ledger.reserve(&world.ada, Credits::new(50), HOUR, &key("r")).wait().unwrap();
    ledger.settle(&world.ada, held, None).wait().unwrap();
    let proof = ledger.verify(None).wait().unwrap();
    let outside: i128 = proof.parties.values().sum();
    assert_eq!(proof.balances - proof.debts + outside, 0);
    assert_eq!(proof.parties[&Party::Storage], 50);
    assert_eq!(proof.parties[&Party::Provider("stripe".parse().unwrap())], -1_000);
}

#[test]
fn sums_that_do_not_fit_are_refused_and_change_nothing() {
    let (world, bob) = two();
    let ledger = world.fm.ledger();
    let most = i64::MAX - 1_000;
    ledger.add_credits(purchase(&world.ada, most, "pi_1")).wait().unwrap();
    assert_eq!(code(ledger.add_credits(purchase(&world.ada, 1, "pi_2")).wait()), "INVALID_REQUEST");
    let more = ledger.transfer(&bob, &world.ada, Credits::new(1), &key("t")).wait();
    assert_eq!(code(more), "INVALID_REQUEST");
    assert_eq!(world.balance(), i64::MAX);
    let bobs = ledger.account(&bob).wait().unwrap().unwrap().balance;
    assert_eq!(bobs.get(), 10, "the giver kept what did not arrive");
    let all = ledger.transfer(&world.ada, &bob, Credits::new(i64::MAX - 10), &key("u")).wait();
    assert_eq!(all.unwrap().balance.get(), 10);
    sound(&world);
}

#[test]
fn a_payment_on_solana_must_be_one() {
    use finalmile::{Timestamp, ledger::SolanaPayment};
    let good = SolanaPayment {
        signature: "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"
            .to_owned(),
        lamports: 1_500_000_000,
        from_wallet: "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM".to_owned(),
        to_wallet: "So11111111111111111111111111111111111111112".to_owned(),
        block_time: Timestamp::from_millis(1_800_000_000_000),
    };
    let ada = AccountId::new("ada").unwrap();
    let purchase = good.purchase(&ada, Credits::new(5)).unwrap();
    assert_eq!(purchase.paid.to_string(), "1.500000000 sol");
    assert_eq!(purchase.metadata["block_time"], "1800000000");
    let bad = [
        SolanaPayment { signature: String::new(), ..good.clone() },
        SolanaPayment { signature: "pi_1".to_owned(), ..good.clone() },
        SolanaPayment { signature: good.from_wallet.clone(), ..good.clone() },
        SolanaPayment { signature: format!("{} ", good.signature), ..good.clone() },
        SolanaPayment { signature: "1".repeat(1_000_000), ..good.clone() },
        SolanaPayment { to_wallet: good.to_wallet.replace('S', "0"), ..good.clone() },
        SolanaPayment { lamports: u64::MAX, ..good },
    ];
    for payment in bad {
        assert!(payment.purchase(&ada, Credits::new(5)).is_err(), "{payment:?}");
    }
}

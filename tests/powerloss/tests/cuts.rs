//! The power goes at every operation, and nothing that was acknowledged is lost.

use finalmile_powerloss::{CHANGES, Fault, Harm, Script, Setup, Survival, Trial, say};

const FULL: Setup = Setup { synchronous: "FULL", checkpoint_pages: 20 };

const SURVIVALS: [Survival; 4] =
    [Survival::Anything, Survival::Nothing, Survival::Prefix, Survival::Everything];

#[test]
fn s1_a_cut_at_every_operation_loses_nothing() {
    let trial = Trial::new(Script::new(1, 40), FULL);
    let disk = trial.blank();
    let (mut cuts, mut acknowledged, mut losses) = (0_u64, 0, 0);
    for after in 0.. {
        let survival = SURVIVALS[(after % 4) as usize];
        let fault = Fault { harm: Harm::PowerCut, on: CHANGES, after, times: 1 };
        let outcome = trial.play(&disk, fault, survival, after);
        if !outcome.findings.is_empty() {
            losses += 1;
            say(&format!("cut {after} {survival:?}: {:#?}", outcome.findings));
            if losses > 5 {
                break;
            }
        }
        if outcome.harmed == 0 {
            break;
        }
        cuts += 1;
        acknowledged += outcome.acknowledged;
    }
    say(&format!(
        "every operation: {cuts} cuts, {acknowledged} acknowledged calls, {losses} losses"
    ));
    assert_eq!(losses, 0);
}

//! Money: whole minor units of a known currency, never fractions.

use crate::Refusal;

/// What was paid: whole minor units (cents, lamports) of a currency.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Money {
    /// How many minor units; 0 for what was free.
    pub minor: i64,
    /// `usd`, `eur`, `sol`: in lower case, as Stripe writes it.
    pub currency: String,
}

/// Currencies by how many decimals their minor unit stands for: ISO 4217 (amendment 177), and the
/// coins that wallets pay with. Stripe counts the same minor units, save for `ugx`, which it writes
/// with two decimals that are always zero. The most common come first, because each payment looks its
/// own up.
const CURRENCIES: &[(u32, &str)] = &[
    (
        2,
        "usd eur aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob bov brl bsd btn \
         bwp byn bzd cad cdf che chf chw cny cop cou crc cup cve czk dkk dop dzd egp ern etb fjd fkp \
         gbp gel ghs gip gmd gtq gyd hkd hnl htg huf idr ils inr irr jmd kes kgs khr kpw kyd kzt lak \
         lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mru mur mvr mwk mxn mxv myr mzn nad ngn nio nok \
         npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sdg sek sgd shp sle sos srd ssp \
         stn svc syp szl thb tjs tmt top try ttd twd tzs uah usn uyu uzs ved ves wst xad xcd xcg yer \
         zar zmw zwg",
    ),
    (0, "bif clp djf gnf isk jpy kmf krw pyg rwf ugx uyi vnd vuv xaf xof xpf"),
    (3, "bhd iqd jod kwd lyd omr tnd"),
    (4, "clf uyw"),
    (6, "usdc usdt"),
    (8, "btc"),
    (9, "sol"),
];

impl Money {
    /// So many minor units of a currency.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a negative amount, or a currency that is neither one of ISO 4217's
    /// nor `btc`, `sol`, `usdc` or `usdt`, in lower case.
    ///
    /// ```
    /// # use finalmile::ledger::Money;
    /// assert_eq!(Money::minor(499, "usd")?.to_string(), "4.99 usd");
    /// assert!(Money::minor(499, "USD").is_err() && Money::minor(-1, "usd").is_err());
    /// # Ok::<(), finalmile::Refusal>(())
    /// ```
    pub fn minor(minor: i64, currency: &str) -> Result<Self, Refusal> {
        if minor < 0 {
            return Err(Refusal::Invalid { field: "amount", why: "it is negative" });
        }
        if decimals(currency).is_none() {
            let why = "it is no currency that is known here";
            return Err(Refusal::Invalid { field: "currency", why });
        }
        Ok(Self { minor, currency: currency.to_owned() })
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let decimals = decimals(&self.currency).unwrap_or_default();
        let unit = 10_u64.pow(decimals);
        let (sign, minor) = (if self.minor < 0 { "-" } else { "" }, self.minor.unsigned_abs());
        write!(f, "{sign}{}", minor / unit)?;
        if decimals > 0 {
            write!(f, ".{:0width$}", minor % unit, width = decimals as usize)?;
        }
        write!(f, " {}", self.currency)
    }
}

fn decimals(currency: &str) -> Option<u32> {
    let listed = |(_, names): &&(u32, &str)| names.split(' ').any(|name| name == currency);
    // The empty name would be found between two blanks.
    CURRENCIES.iter().find(listed).filter(|_| !currency.is_empty()).map(|(decimals, _)| *decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_currencies_are_money() {
        for good in ["usd", "jpy", "kwd", "sol", "usdc", "aed", "zwg", "ang", "byn"] {
            assert!(Money::minor(1, good).is_ok(), "{good}");
        }
        for bad in ["", " ", "USD", "us", "xxx", "dollars", "usd ", "usd\0", "usd eur"] {
            let field = "currency";
            assert!(
                matches!(Money::minor(1, bad), Err(Refusal::Invalid { field: f, .. }) if f == field),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn money_is_written_with_its_currencys_decimals() {
        let text = |minor, currency| Money::minor(minor, currency).unwrap().to_string();
        assert_eq!(text(5, "usd"), "0.05 usd");
        assert_eq!(text(5, "jpy"), "5 jpy");
        assert_eq!(text(1_500_000_000, "sol"), "1.500000000 sol");
        assert_eq!(text(i64::MAX, "kwd"), "9223372036854775.807 kwd");
    }
}

//! Days: what is counted by the day.

use std::fmt;

use crate::{Timestamp, storage::int_field};

/// Microseconds of a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// A day in UTC: days since 1970-01-01.
///
/// ```
/// # use finalmile::{Day, Timestamp};
/// assert_eq!(Day::of(Timestamp::from_millis(1_709_164_800_000)).to_string(), "2024-02-29");
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
#[expect(clippy::exhaustive_structs, reason = "a number of days is all it is")]
pub struct Day(pub i64);

impl Day {
    /// The day of a moment.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        Self(at.micros().div_euclid(DAY_US))
    }

    /// The day that many days earlier.
    #[must_use]
    pub const fn before(self, days: i64) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// Year, month and day of the month, in the Gregorian calendar.
    ///
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    #[must_use]
    pub const fn date(self) -> (i64, i64, i64) {
        // Years begin in March, so that the leap day is the last; eras have 400 of them.
        let days = self.0.saturating_add(719_468);
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month, day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

int_field!(Day);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let day = |days: i64| Day(days).to_string();
        assert_eq!([day(0), day(-1), day(10_957)], ["1970-01-01", "1969-12-31", "2000-01-01"]);
        assert_eq!([day(11_016), day(11_017)], ["2000-02-29", "2000-03-01"]);
        // Every day follows the one before it, through four centuries.
        let mut last = Day(-719_468).date();
        for days in -719_467..=-719_468 + 2 * 146_097 {
            let (year, month, day) = Day(days).date();
            let next_day = (year, month, day) == (last.0, last.1, last.2 + 1);
            let next_month = day == 1 && (month == last.1 + 1 || (month, last.1) == (1, 12));
            assert!(next_day || (next_month && last.2 >= 28), "{last:?} {year} {month} {day}");
            last = (year, month, day);
        }
        assert_eq!(Day::of(Timestamp::from_micros(-1)), Day(-1));
    }
}

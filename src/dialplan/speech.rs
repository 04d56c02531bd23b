//! Numbers, dates, times and money as people say them: lists of short prompts, in English and Chinese.
//!
//! The words are prompts of the catalogue like any other (`say_20`, `say_wan`, …), so a studio can record them.

use jiff::civil::DateTime;
use sha2::{Digest, Sha256};

/// The name of the prompt that holds a spoken text: the same text has the same one, whatever file it stands in.
pub fn said(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let short: String = hash.iter().take(12).map(|octet| format!("{octet:02x}")).collect();
    format!("said_{short}")
}

/// The languages whose numbers can be said.
pub(super) const LANGUAGES: [&str; 2] = ["en", "zh"];

/// Something to be said that is no prompt of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// A whole number: "one hundred and five".
    Number(i64),
    /// Money in hundredths of its unit.
    Money { hundredths: i64, currency: Currency },
    /// A day: "the twenty-seventh of November", with its year.
    Date(DateTime),
    /// A time of day on a 24-hour clock.
    Time(DateTime),
    /// About how long something takes, seconds: whole minutes, rounded up.
    Minutes(u64),
}

/// What money is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Currency {
    /// Yuan renminbi.
    Cny,
    /// US dollar.
    Usd,
    /// Euro.
    Eur,
}

/// The currencies by the names that files use (ISO 4217).
pub(super) const CURRENCIES: [(&str, Currency); 3] =
    [("CNY", Currency::Cny), ("USD", Currency::Usd), ("EUR", Currency::Eur)];

impl Currency {
    fn unit(self, one: bool) -> &'static str {
        match (self, one) {
            (Self::Cny, _) => "say_yuan",
            (Self::Usd, true) => "say_dollar",
            (Self::Usd, false) => "say_dollars",
            (Self::Eur, _) => "say_euro",
        }
    }

    fn hundredth(self) -> &'static str {
        match self {
            Self::Cny => "say_fen",
            Self::Usd | Self::Eur => "say_cents",
        }
    }
}

/// The prompts that say it, in order. `language` is one of [`LANGUAGES`]; others are said in English.
pub(super) fn prompts(what: Spoken, language: &str) -> Vec<String> {
    let mut words = Words { chinese: language == "zh", list: Vec::new() };
    match what {
        Spoken::Number(number) => words.number(number),
        Spoken::Money { hundredths, currency } => words.money(hundredths, currency),
        Spoken::Date(at) => words.date(at),
        Spoken::Time(at) => words.time(at),
        Spoken::Minutes(seconds) => words.minutes(seconds.div_ceil(60).max(1)),
    }
    words.list
}

/// Keys one by one.
pub(super) fn digits(text: &str) -> Vec<String> {
    let name = |c: char| match c {
        '0'..='9' => Some(format!("say_{c}")),
        '*' => Some("say_star".to_owned()),
        '#' => Some("say_hash".to_owned()),
        _ => None,
    };
    text.chars().filter_map(name).collect()
}

/// Every prompt that numbers, dates, times and money need in a language: what a plan that says any must have on the disk.
pub(super) fn vocabulary(language: &str) -> Vec<String> {
    let mut names: Vec<String> = (0..=10).map(|n| format!("say_{n}")).collect();
    names.extend(
        ["star", "hash", "minus", "yuan", "fen", "dollar", "dollars", "cents", "euro"].map(|w| format!("say_{w}")),
    );
    if language == "zh" {
        names.extend(
            ["liang", "bai", "qian", "wan", "yi", "jiao", "nian", "yue", "ri", "dian", "fenzhong"]
                .map(|w| format!("say_{w}")),
        );
    } else {
        names.extend((11..=20).chain((30..=90).step_by(10)).map(|n| format!("say_{n}")));
        names.extend(
            ["hundred", "thousand", "million", "billion", "and", "oh", "o_clock", "minute", "minutes"]
                .map(|w| format!("say_{w}")),
        );
        names.extend((1..=31).map(|n| format!("say_{n}_th")));
        names.extend((1..=12).map(|n| format!("say_month_{n}")));
    }
    names
}

struct Words {
    chinese: bool,
    list: Vec<String>,
}

impl Words {
    fn word(&mut self, word: &str) {
        self.list.push(format!("say_{word}"));
    }

    fn small(&mut self, number: u64) {
        self.list.push(format!("say_{number}"));
    }

    fn number(&mut self, number: i64) {
        if number < 0 {
            self.word("minus");
        }
        self.count(number.unsigned_abs());
    }

    fn count(&mut self, number: u64) {
        if self.chinese { self.chinese(number) } else { self.english(number) }
    }

    fn english(&mut self, number: u64) {
        if number == 0 {
            return self.small(0);
        }
        let mut rest = number;
        for (unit, word) in [(1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand")] {
            if rest >= unit {
                self.english(rest / unit);
                self.word(word);
                rest %= unit;
            }
        }
        if rest >= 100 {
            self.small(rest / 100);
            self.word("hundred");
            rest %= 100;
            if rest > 0 {
                self.word("and");
            }
        } else if rest > 0 && number >= 1_000 {
            self.word("and");
        }
        match rest {
            0 => {}
            1..=20 => self.small(rest),
            _ => {
                self.small(rest / 10 * 10);
                if !rest.is_multiple_of(10) {
                    self.small(rest % 10);
                }
            }
        }
    }

    /// By ten thousands: 105 is 一百零五, 15 is 十五, 10,010 is 一万零一十.
    fn chinese(&mut self, number: u64) {
        if number == 0 {
            return self.small(0);
        }
        let groups = [(100_000_000, "yi"), (10_000, "wan")];
        let mut rest = number;
        let mut said = false;
        for (unit, word) in groups {
            let count = rest / unit;
            if count > 0 {
                if unit == 100_000_000 && count >= 10_000 {
                    self.chinese(count)
                } else {
                    self.myriad(count, said)
                }
                self.word(word);
                rest %= unit;
                said = true;
            }
        }
        if rest > 0 {
            self.myriad(rest, said);
        }
    }

    /// Up to 9,999; a zero goes before it where `after` something greater it does not fill its group.
    fn myriad(&mut self, number: u64, after: bool) {
        let mut zero = after && number < 1_000;
        let mut said = false;
        let mut rest = number;
        for (unit, word) in [(1_000, "qian"), (100, "bai"), (10, "")] {
            let digit = rest / unit;
            rest %= unit;
            if digit == 0 {
                zero |= said && rest > 0;
                continue;
            }
            if zero {
                self.small(0);
                zero = false;
            }
            // 十五, not 一十五, where nothing stands before it.
            let bare_ten = unit == 10 && digit == 1 && !said && !after;
            if !bare_ten {
                self.small(digit);
            }
            if unit == 10 {
                self.small(10)
            } else {
                self.word(word)
            }
            said = true;
        }
        if rest > 0 {
            if zero {
                self.small(0);
            }
            self.small(rest);
        }
    }

    fn money(&mut self, hundredths: i64, currency: Currency) {
        if hundredths < 0 {
            self.word("minus");
        }
        let amount = hundredths.unsigned_abs();
        let (units, rest) = (amount / 100, amount % 100);
        if units > 0 || rest == 0 {
            self.measured(units);
            self.list.push(currency.unit(units == 1).to_owned());
        }
        if rest == 0 {
            return;
        }
        if self.chinese && currency == Currency::Cny {
            let (jiao, fen) = (rest / 10, rest % 10);
            if jiao > 0 {
                self.measured(jiao);
                self.word("jiao");
            } else if units > 0 {
                self.small(0);
            }
            if fen > 0 {
                self.small(fen);
                self.word("fen");
            }
            return;
        }
        if units > 0 && !self.chinese {
            self.word("and");
        }
        self.count(rest);
        self.list.push(currency.hundredth().to_owned());
    }

    /// A count before a measure word: two is 两.
    fn measured(&mut self, count: u64) {
        if self.chinese && count == 2 { self.word("liang") } else { self.count(count) }
    }

    fn date(&mut self, at: DateTime) {
        // Parts of a civil date are positive; years of a call are.
        let (year, month, day) = (at.year().unsigned_abs(), at.month().unsigned_abs(), at.day().unsigned_abs());
        if self.chinese {
            self.list.extend(digits(&year.to_string()));
            self.word("nian");
            self.count(u64::from(month));
            self.word("yue");
            self.count(u64::from(day));
            self.word("ri");
            return;
        }
        self.list.push(format!("say_month_{month}"));
        self.list.push(format!("say_{day}_th"));
        self.year(u64::from(year));
    }

    /// 2026 is "twenty twenty-six", 2005 "two thousand and five", 1900 "nineteen hundred".
    fn year(&mut self, year: u64) {
        let (century, rest) = (year / 100, year % 100);
        if (2_000..2_010).contains(&year) || !(1_000..10_000).contains(&year) {
            return self.count(year);
        }
        self.count(century);
        match rest {
            0 => self.word("hundred"),
            1..=9 => {
                self.word("oh");
                self.small(rest);
            }
            _ => self.count(rest),
        }
    }

    fn time(&mut self, at: DateTime) {
        let (hour, minute) = (u64::from(at.hour().unsigned_abs()), u64::from(at.minute().unsigned_abs()));
        if self.chinese {
            self.measured(hour);
            self.word("dian");
            if minute > 0 {
                if minute < 10 {
                    self.small(0);
                }
                self.count(minute);
                self.word("fen");
            }
            return;
        }
        self.count(hour);
        match minute {
            0 => self.word("o_clock"),
            1..=9 => {
                self.word("oh");
                self.small(minute);
            }
            _ => self.count(minute),
        }
    }

    fn minutes(&mut self, minutes: u64) {
        self.measured(minutes);
        self.word(match (self.chinese, minutes) {
            (true, _) => "fenzhong",
            (false, 1) => "minute",
            (false, _) => "minutes",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(what: Spoken, language: &str) -> String {
        let names = prompts(what, language);
        let known = vocabulary(language);
        for name in &names {
            assert!(known.contains(name), "{name} is not in the vocabulary of {language}");
        }
        names.iter().map(|name| name.trim_start_matches("say_")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn numbers_in_both_languages() {
        for (number, en, zh) in [
            (0, "0", "0"),
            (2, "2", "2"),
            (10, "10", "10"),
            (15, "15", "10 5"),
            (20, "20", "2 10"),
            (42, "40 2", "4 10 2"),
            (105, "1 hundred and 5", "1 bai 0 5"),
            (110, "1 hundred and 10", "1 bai 1 10"),
            (1_000, "1 thousand", "1 qian"),
            (1_005, "1 thousand and 5", "1 qian 0 5"),
            (1_050, "1 thousand and 50", "1 qian 0 5 10"),
            (10_010, "10 thousand and 10", "1 wan 0 1 10"),
            (120_000, "1 hundred and 20 thousand", "10 2 wan"),
            (10_203_040, "10 million 2 hundred and 3 thousand and 40", "1 qian 0 2 10 wan 3 qian 0 4 10"),
            (100_000_005, "1 hundred million and 5", "1 yi 0 5"),
            (-7, "minus 7", "minus 7"),
        ] {
            assert_eq!(said(Spoken::Number(number), "en"), en, "{number}");
            assert_eq!(said(Spoken::Number(number), "zh"), zh, "{number}");
        }
    }

    #[test]
    fn money_dates_and_times_in_both_languages() {
        let money = |hundredths, currency| Spoken::Money { hundredths, currency };
        assert_eq!(said(money(200, Currency::Cny), "zh"), "liang yuan");
        assert_eq!(said(money(1_205, Currency::Cny), "zh"), "10 2 yuan 0 5 fen");
        assert_eq!(said(money(1_250, Currency::Cny), "zh"), "10 2 yuan 5 jiao");
        assert_eq!(said(money(101, Currency::Usd), "en"), "1 dollar and 1 cents");
        assert_eq!(said(money(0, Currency::Eur), "en"), "0 euro");
        let at = jiff::civil::date(2026, 11, 27).at(14, 5, 0, 0);
        assert_eq!(said(Spoken::Date(at), "en"), "month_11 27_th 20 20 6");
        assert_eq!(said(Spoken::Date(at), "zh"), "2 0 2 6 nian 10 1 yue 2 10 7 ri");
        assert_eq!(said(Spoken::Time(at), "en"), "14 oh 5");
        assert_eq!(said(Spoken::Time(at), "zh"), "10 4 dian 0 5 fen");
        assert_eq!(said(Spoken::Minutes(61), "en"), "2 minutes");
        assert_eq!(said(Spoken::Minutes(10), "zh"), "1 fenzhong");
        assert_eq!(digits("40*#"), ["say_4", "say_0", "say_star", "say_hash"]);
    }
}

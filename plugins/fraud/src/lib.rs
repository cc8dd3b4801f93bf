//! Transactions that break rules: a row for each rule that one breaks.
//!
//! Reads `id`, `at`, `amount` and `country`, and of the key nothing: it says which card it is. Each transaction is judged by
//! what was known of the card before it, and then known itself, whether or not it has broken a rule. Answers with `id`,
//! `at` and `amount` of the transaction, the `rule`, and in `why` what it was.
//!
//! Config, the rules that are to be held to, at least one:
//!
//! - `velocity = { count = 5, within = "10m" }`: the fifth transaction, and each one more, within ten minutes.
//! - `amount = { factor = 10, after = 5 }`: more than ten times the mean of all transactions before, if there were at least
//!   five (which is the default).
//! - `country = { within = "2h" }`: another country than that of the transaction before, at most two hours from it.

mod rules;
#[path = "../../span.rs"]
mod span;

use serde::Deserialize;
use weir_guest::state::{Group, Next, State, Turn};
use weir_guest::{Record, Timestamp};

use rules::{Amount, Country, Velocity};

/// The config as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    velocity: Option<Velocity>,
    amount: Option<Amount>,
    country: Option<Country>,
}

/// The operator.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Fraud(Settings);

impl TryFrom<Settings> for Fraud {
    type Error = String;

    fn try_from(rules: Settings) -> Result<Self, Self::Error> {
        match &rules {
            Settings { velocity: None, amount: None, country: None } => {
                Err("there is no rule: give `velocity`, `amount` or `country`".to_owned())
            }
            Settings { velocity: Some(Velocity { count, .. }), .. } if !(2..=1000).contains(count) => {
                Err(format!("`velocity.count` is {count}; it must be from 2 to 1000"))
            }
            Settings { amount: Some(Amount { factor, .. }), .. } if *factor <= 1.0 => {
                Err(format!("`amount.factor` is {factor}; every other transaction would be above that"))
            }
            Settings { amount: Some(Amount { after: 0, .. }), .. } => {
                Err("`amount.after` is 0; there is no mean of no transactions".to_owned())
            }
            _ => Ok(Self(rules)),
        }
    }
}

/// A payment with a card.
#[derive(Record, Debug)]
pub struct Transaction<'a> {
    /// What it is known by.
    pub id: &'a str,
    /// When.
    pub at: Timestamp,
    /// How much.
    pub amount: f64,
    /// Where: any name or code, compared as it is.
    pub country: &'a str,
}

/// What is known of a card.
#[derive(Record, Debug, Default, Clone, PartialEq)]
pub struct Card {
    /// How many transactions there were.
    pub transactions: i64,
    /// All that was spent.
    pub spent: f64,
    /// The time of the last transaction, in the order in which they came.
    pub last: Timestamp,
    /// Its country.
    pub country: String,
    /// The times of as many as the rule `velocity` needs, oldest first: microseconds, with spaces between.
    pub recent: String,
}

/// The answer.
#[derive(Record, Debug, PartialEq)]
pub struct Alert<'a> {
    /// That of the transaction.
    pub id: &'a str,
    /// That of the transaction.
    pub at: Timestamp,
    /// That of the transaction.
    pub amount: f64,
    /// `velocity`, `amount` or `country`.
    pub rule: &'a str,
    /// What broke the rule, for a person.
    pub why: String,
}

impl Fraud {
    /// The rules that a transaction breaks, with the reasons.
    fn judge(&self, card: &Card, recent: &[i64], transaction: &Transaction<'_>) -> Vec<(&'static str, String)> {
        let Self(Settings { velocity, amount, country }) = self;
        let broken = [
            ("velocity", velocity.as_ref().and_then(|rule| rule.judge(recent, transaction.at))),
            ("amount", amount.as_ref().and_then(|rule| rule.judge(card, transaction.amount))),
            ("country", country.as_ref().and_then(|rule| rule.judge(card, transaction))),
        ];
        broken.into_iter().filter_map(|(rule, why)| Some((rule, why?))).collect()
    }

    /// How many times of past transactions must be known.
    fn remembered(&self) -> usize {
        self.0.velocity.as_ref().map_or(0, |rule| rule.count - 1)
    }
}

#[weir_guest::state]
impl State for Fraud {
    type Key<'a> = ();
    type Input<'a> = Transaction<'a>;
    type State = Card;
    type Output<'a> = Alert<'a>;

    fn update<'a>(
        &self,
        (): (),
        card: Option<Card>,
        transactions: &mut Group<'a, Transaction<'a>>,
        turn: &mut Turn<'a, Alert<'a>>,
    ) -> Next<Card> {
        let mut card = card.unwrap_or_default();
        let before = card.transactions;
        let mut recent: Vec<i64> = card.recent.split(' ').filter_map(|time| time.parse().ok()).collect();
        while let Some(transaction) = transactions.next() {
            let Transaction { id, at, amount, country } = transaction;
            if !amount.is_finite() || amount < 0.0 {
                transactions.reject(format!("column `amount` is {amount}"));
                continue;
            }
            for (rule, why) in self.judge(&card, &recent, &transaction) {
                turn.emit(Alert { id, at, amount, rule, why });
            }
            recent.push(at.as_micros());
            recent.drain(..recent.len().saturating_sub(self.remembered()));
            card.transactions += 1;
            card.spent += amount;
            card.last = at;
            country.clone_into(&mut card.country);
        }
        if card.transactions == before {
            return Next::Unchanged;
        }
        card.recent = recent.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
        Next::Keep(card)
    }
}

#[cfg(test)]
mod tests {
    use weir_guest::testing;

    use super::*;

    #[derive(Record)]
    struct Owner<'a> {
        card: &'a str,
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    fn pays<'a>(id: &'a str, minutes: i64, amount: f64, country: &'a str) -> Transaction<'a> {
        Transaction { id, at: at(minutes), amount, country }
    }

    /// Runs a batch for each list, and gives the transactions with the rules that they break.
    #[track_caller]
    fn check(config: &str, batches: Vec<Vec<Transaction<'_>>>, expected: &[(&str, &str, &str)]) {
        let mut run = testing::state::<Fraud>().config(config);
        let mut found = Vec::new();
        for (transactions, time) in batches.into_iter().zip(1..) {
            let answer = run.batch(at(time), [(Owner { card: "c" }, transactions)]).expect("it runs");
            let alerts = answer.rows::<Alert>().expect("alerts");
            found.extend(alerts.iter().map(|a| (a.id.to_owned(), a.rule.to_owned(), a.why.clone())));
        }
        let found: Vec<_> = found.iter().map(|(id, rule, why)| (id.as_str(), rule.as_str(), why.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn too_many_in_a_short_time() {
        check(
            r#"{"velocity": {"count": 3, "within": "10m"}}"#,
            vec![
                vec![pays("a", 0, 1.0, "NO"), pays("b", 10, 1.0, "NO"), pays("c", 20, 1.0, "NO")],
                vec![pays("d", 15, 1.0, "NO"), pays("e", 16, 1.0, "NO")],
                vec![pays("f", 40, 1.0, "NO")],
            ],
            // The fourth came late, and is near the two before it.
            &[("d", "velocity", "3 transactions within 600s"), ("e", "velocity", "3 transactions within 600s")],
        );
    }

    #[test]
    fn an_amount_far_above_the_mean() {
        check(
            r#"{"amount": {"factor": 3, "after": 2}}"#,
            vec![
                vec![pays("a", 0, 2.0, "NO"), pays("b", 1, 100.0, "NO")],
                vec![pays("c", 2, 153.0, "NO"), pays("d", 3, 255.0, "NO"), pays("e", 4, 1000.0, "NO")],
            ],
            &[("e", "amount", "1000 where 127.50 is the mean of 4 transactions")],
        );
    }

    #[test]
    fn another_country_in_less_time_than_the_way_takes() {
        check(
            r#"{"country": {"within": "2h"}}"#,
            vec![
                vec![pays("a", 0, 1.0, "NO"), pays("b", 121, 1.0, "SE"), pays("c", 200, 1.0, "SE")],
                vec![pays("d", 230, 1.0, "PT"), pays("e", 240, 1.0, "PT"), pays("f", 220, 1.0, "SE")],
            ],
            &[("d", "country", "in PT 1800s from one in SE"), ("f", "country", "in SE 1200s from one in PT")],
        );
    }

    #[test]
    fn a_transaction_can_break_several_rules_and_counts_all_the_same() {
        check(
            r#"{"velocity": {"count": 2, "within": "1m"}, "amount": {"factor": 2, "after": 1}, "country": {"within": "1m"}}"#,
            vec![vec![pays("a", 0, 1.0, "NO"), pays("b", 1, 9.0, "SE"), pays("c", 1, 9.0, "SE")]],
            &[
                ("b", "velocity", "2 transactions within 60s"),
                ("b", "amount", "9 where 1.00 is the mean of 1 transactions"),
                ("b", "country", "in SE 60s from one in NO"),
                ("c", "velocity", "2 transactions within 60s"),
            ],
        );
    }

    #[test]
    fn what_is_no_amount_is_rejected_and_is_not_known() -> Result<(), String> {
        let mut run = testing::state::<Fraud>().config(r#"{"velocity": {"count": 2, "within": "1m"}}"#);
        let rows = [pays("a", 0, -1.0, "NO"), pays("b", 0, f64::NAN, "NO"), pays("c", 0, 1.0, "NO")];
        let answer = run.batch(at(1), [(Owner { card: "c" }, rows)])?;
        assert_eq!(answer.rows::<Alert>()?, []);
        let rejects: Vec<_> = answer.rejects().iter().map(|(row, why)| (*row, why.as_str())).collect();
        assert_eq!(rejects, [(0, "column `amount` is -1"), (1, "column `amount` is NaN")]);
        assert_eq!(run.states()?.rows::<Card>()?[0].transactions, 1);
        Ok(())
    }

    #[test]
    fn a_config_that_is_not_valid_says_why() {
        for (config, why) in [
            ("{}", "there is no rule: give `velocity`, `amount` or `country`"),
            (r#"{"velocity": {"count": 1, "within": "1m"}}"#, "`velocity.count` is 1; it must be from 2 to 1000"),
            (r#"{"velocity": {"count": 2}}"#, "missing field `within`"),
            (r#"{"amount": {"factor": 1}}"#, "`amount.factor` is 1; every other transaction would be above that"),
            (r#"{"amount": {"factor": 2, "after": 0}}"#, "`amount.after` is 0; there is no mean of no transactions"),
        ] {
            let none = Vec::<Transaction>::new();
            let answer = testing::state::<Fraud>().config(config).batch(at(1), [(Owner { card: "c" }, none)]);
            assert_eq!(answer.map(|_| ()), Err(format!("the operator's config is not valid: {why}")));
        }
    }
}

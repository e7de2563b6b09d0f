//! What the rounds of a case gave, and what follows from it.

use serde::{Deserialize, Serialize};

use crate::case::{Aim, Kind, Limit, Unit};

/// The figures of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) about: String,
    pub(crate) unit: Unit,
    /// Those of a peer stand at the same place in each.
    pub(crate) peers: Vec<PeerFigures>,
    pub(crate) verdicts: Vec<Verdict>,
    /// Who is missing, and why.
    pub(crate) missing: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PeerFigures {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Where it is drawn: the line and the place on the x axis.
    pub(crate) point: Option<(String, f64)>,
    /// A figure for each round.
    pub(crate) rounds: Vec<f64>,
}

/// What came of an aim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) who: String,
    /// Against which peer, if not against an amount: the one it is worst against.
    pub(crate) against: Option<String>,
    /// In times of that peer, or in the case's unit.
    pub(crate) limit: f64,
    pub(crate) measured: f64,
    /// The median of many more rounds would be between these two, at odds of 19 to 1.
    pub(crate) between: (f64, f64),
}

/// Whether an aim is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Yes,
    /// It is missed by less than the rounds differ.
    Within,
    No,
}

impl Verdict {
    pub(crate) fn held(&self) -> Held {
        if self.measured <= self.limit {
            Held::Yes
        } else if self.between.0 <= self.limit {
            Held::Within
        } else {
            Held::No
        }
    }
}

impl Figures {
    pub(crate) fn peer(&self, name: &str) -> Option<&PeerFigures> {
        self.peers.iter().find(|peer| peer.name == name)
    }

    /// How many times what `other` takes `who` takes, round by round.
    fn ratios(&self, who: &str, other: &str) -> Option<Vec<f64>> {
        let (who, other) = (self.peer(who)?, self.peer(other)?);
        let rounds = who.rounds.iter().zip(&other.rounds);
        Some(sorted(rounds.map(|(who, other)| who / other)))
    }

    /// The median of those.
    pub(crate) fn ratio(&self, who: &str, other: &str) -> Option<f64> {
        Some(quantile(&self.ratios(who, other)?, 0.5))
    }

    /// What comes of the aim. Nothing, if those that it is about are missing.
    pub(crate) fn judge(&self, aim: &Aim) -> Option<Verdict> {
        let verdict = |limit: f64, against: Option<&String>, values: &[f64]| Verdict {
            who: aim.who.clone(),
            against: against.cloned(),
            limit,
            measured: quantile(values, 0.5),
            between: confidence(values),
        };
        match &aim.limit {
            Limit::Amount(limit) => {
                let rounds = sorted(self.peer(&aim.who)?.rounds.iter().copied());
                Some(verdict(*limit, None, &rounds))
            }
            Limit::Times(limit, peers) => peers
                .iter()
                .filter_map(|peer| Some(verdict(*limit, Some(peer), &self.ratios(&aim.who, peer)?)))
                .max_by(|a, b| a.measured.total_cmp(&b.measured)),
        }
    }
}

impl PeerFigures {
    pub(crate) fn median(&self) -> f64 {
        quantile(&sorted(self.rounds.iter().copied()), 0.5)
    }

    /// Half of the rounds are between these two.
    pub(crate) fn quartiles(&self) -> (f64, f64) {
        let sorted = sorted(self.rounds.iter().copied());
        (quantile(&sorted, 0.25), quantile(&sorted, 0.75))
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// What is so far into the sorted values, between two of them if need be.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = share * last as f64;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    below + (above - below) * place.fract()
}

/// Where the median of all that could be measured is, at odds of 19 to 1: the order of the values tells,
/// however they are spread. Of fewer than six it tells no more than the least and the greatest.
fn confidence(sorted: &[f64]) -> (f64, f64) {
    let n = sorted.len();
    let reach = 1.96 * (n as f64).sqrt();
    let below = ((n as f64 - reach) / 2.0).floor().max(0.0) as usize;
    let ends = sorted
        .get(below)
        .zip(sorted.get((n - below).saturating_sub(1)));
    ends.map_or((f64::NAN, f64::NAN), |(low, high)| (*low, *high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(peers: &[(&str, &[f64])]) -> Figures {
        let peer = |&(name, rounds): &(&str, &[f64])| PeerFigures {
            name: name.to_owned(),
            kind: Kind::Rust,
            point: None,
            rounds: rounds.to_vec(),
        };
        Figures {
            name: "case".to_owned(),
            title: String::new(),
            about: String::new(),
            unit: Unit::Seconds,
            peers: peers.iter().map(peer).collect(),
            verdicts: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn median(rounds: &[f64]) -> f64 {
        figures(&[("a", rounds)]).peers[0].median()
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert!(median(&[]).is_nan());
    }

    /// As in tables of the sign test: of 20 values, the 6th and the 15th.
    #[test]
    fn the_order_tells_where_the_median_is() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(confidence(&values), (6.0, 15.0));
        assert_eq!(confidence(&values[..3]), (1.0, 3.0));
        assert!(confidence(&[]).0.is_nan());
    }

    #[test]
    fn quartiles_hold_half_of_the_rounds() {
        let rounds: &[f64] = &[5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(figures(&[("a", rounds)]).peers[0].quartiles(), (2.0, 4.0));
    }

    /// One that is slow when the other is slow too is not slow: the machine was.
    #[test]
    fn a_ratio_is_that_of_the_same_round() {
        let figures = figures(&[("a", &[2.0, 20.0, 200.0]), ("b", &[1.0, 10.0, 50.0])]);
        assert_eq!(figures.ratio("a", "b"), Some(2.0));
        assert_eq!(figures.ratio("a", "c"), None);
    }

    #[test]
    fn an_aim_is_held_against_the_quickest() {
        let figures = figures(&[("parallel", &[2.0]), ("slow", &[4.0]), ("quick", &[1.0])]);
        let verdict = figures.judge(&Aim::times(1.0, &["slow", "quick"])).unwrap();
        assert_eq!(verdict.against.as_deref(), Some("quick"));
        assert_eq!(verdict.measured, 2.0);
        assert_eq!(verdict.held(), Held::No);
        let held = |aim| figures.judge(&aim).map(|verdict| verdict.held());
        assert_eq!(held(Aim::times(1.0, &["slow"])), Some(Held::Yes));
        assert_eq!(held(Aim::times(2.0, &["quick"])), Some(Held::Yes));
        assert_eq!(held(Aim::times(1.0, &["gone"])), None);
    }

    #[test]
    fn an_aim_may_be_an_amount() {
        let figures = figures(&[("parallel", &[2.0, 9.0, 1.0]), ("other", &[4.0])]);
        let held = |aim| figures.judge(&aim).map(|verdict| verdict.held());
        assert_eq!(held(Aim::amount(2.0)), Some(Held::Yes));
        // Another run may well have a median of 1.
        assert_eq!(held(Aim::amount(1.9)), Some(Held::Within));
        assert_eq!(held(Aim::amount(0.9)), Some(Held::No));
        assert_eq!(held(Aim::amount(3.0).of("other")), Some(Held::No));
    }
}

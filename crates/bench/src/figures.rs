//! What the rounds of a case gave, and what follows from it.

use serde::{Deserialize, Serialize};

use crate::case::{Aim, Limit, Unit};

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
}

impl Verdict {
    pub(crate) fn holds(&self) -> bool {
        self.measured <= self.limit
    }

    /// How far it is from what it should be: more than 1 is too much.
    pub(crate) fn gap(&self) -> f64 {
        self.measured / self.limit
    }
}

impl Figures {
    pub(crate) fn peer(&self, name: &str) -> Option<&PeerFigures> {
        self.peers.iter().find(|peer| peer.name == name)
    }

    /// How many times what `other` takes `who` takes: the median of the ratios of each round.
    pub(crate) fn ratio(&self, who: &str, other: &str) -> Option<f64> {
        let (who, other) = (self.peer(who)?, self.peer(other)?);
        let ratios = who.rounds.iter().zip(&other.rounds);
        median(ratios.map(|(who, other)| who / other))
    }

    /// What comes of the aim. Nothing, if those that it is about are missing.
    pub(crate) fn judge(&self, aim: &Aim) -> Option<Verdict> {
        let who = aim.who.clone();
        match &aim.limit {
            Limit::Amount(limit) => Some(Verdict {
                against: None,
                limit: *limit,
                measured: self.peer(&who)?.median(),
                who,
            }),
            Limit::Times(limit, peers) => {
                let ratios = peers
                    .iter()
                    .filter_map(|peer| Some((self.ratio(&who, peer)?, peer)));
                let (measured, against) = ratios.max_by(|a, b| a.0.total_cmp(&b.0))?;
                Some(Verdict {
                    against: Some(against.clone()),
                    limit: *limit,
                    measured,
                    who,
                })
            }
        }
    }
}

impl PeerFigures {
    pub(crate) fn median(&self) -> f64 {
        median(self.rounds.iter().copied()).unwrap_or(f64::NAN)
    }

    /// Half of the rounds are between these two.
    pub(crate) fn quartiles(&self) -> (f64, f64) {
        let sorted = sorted(self.rounds.iter().copied());
        (quantile(&sorted, 0.25), quantile(&sorted, 0.75))
    }
}

/// The one in the middle, or the mean of the two there.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let sorted = sorted(values);
    (!sorted.is_empty()).then(|| quantile(&sorted, 0.5))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(peers: &[(&str, &[f64])]) -> Figures {
        let peer = |&(name, rounds): &(&str, &[f64])| PeerFigures {
            name: name.to_owned(),
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

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median([7.0].into_iter()), Some(7.0));
        assert_eq!(median([].into_iter()), None);
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
        assert!(!verdict.holds());
        assert!(figures.judge(&Aim::times(1.0, &["slow"])).unwrap().holds());
        assert!(figures.judge(&Aim::times(2.0, &["quick"])).unwrap().holds());
        assert!(figures.judge(&Aim::times(1.0, &["gone"])).is_none());
    }

    #[test]
    fn an_aim_may_be_an_amount() {
        let figures = figures(&[("parallel", &[2.0, 9.0, 1.0]), ("other", &[4.0])]);
        assert!(figures.judge(&Aim::amount(2.0)).unwrap().holds());
        assert!(!figures.judge(&Aim::amount(1.9)).unwrap().holds());
        assert!(
            !figures
                .judge(&Aim::amount(3.0).of("other"))
                .unwrap()
                .holds()
        );
    }
}

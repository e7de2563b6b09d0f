//! Runs a case: all its peers in turn, round after round. What slows the machine down for a while so slows
//! down all of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::case::{Case, Context, Kind, Pace, Round};
use crate::figures::{Figures, PeerFigures};

/// How long a case may go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// After this no round begins, once there are `fewest`.
    pub(crate) time: Duration,
    pub(crate) fewest: usize,
    pub(crate) most: usize,
    /// So many rounds at the beginning do not count: caches are cold and workers asleep.
    pub(crate) warm_up: usize,
    /// From then on there is one round a case, lest all take too long on a machine that others use.
    pub(crate) hurry: Option<Instant>,
}

impl Budget {
    pub(crate) const QUICK: Self = Self {
        time: Duration::from_secs(1),
        fewest: 3,
        most: 51,
        warm_up: 1,
        hurry: None,
    };
    pub(crate) const FULL: Self = Self {
        time: Duration::from_secs(15),
        fewest: 11,
        most: 201,
        warm_up: 2,
        hurry: None,
    };

    fn at(self, pace: Pace) -> Self {
        match pace {
            Pace::Many => self,
            Pace::Few => Self {
                fewest: self.fewest.div_ceil(2),
                warm_up: 1,
                ..self
            },
            Pace::Fresh => Self {
                fewest: self.fewest.div_ceil(2),
                most: self.fewest.div_ceil(2),
                warm_up: 0,
                ..self
            },
            Pace::One => Self {
                fewest: 1,
                most: 1,
                warm_up: 0,
                ..self
            },
        }
    }
}

/// Why a peer is missing that could start.
pub(crate) const FAILED: &str = "it ended in the midst of a round";

/// Runs the case, and judges it.
pub(crate) fn run(case: Case, context: &Context, budget: Budget) -> Figures {
    let mut missing = Vec::new();
    let mut peers = Vec::new();
    for peer in case.peers {
        if peer.kind == Kind::Python && context.python.is_none() {
            continue;
        }
        match (peer.start)(context) {
            Ok(round) => peers.push(Contestant {
                figures: PeerFigures {
                    name: peer.name,
                    kind: peer.kind,
                    point: peer.point.map(|(line, x)| (line.to_owned(), x)),
                    rounds: Vec::new(),
                },
                round,
                ended: false,
            }),
            Err(why) => missing.push(format!("{}: {why}", peer.name)),
        }
    }
    play(&mut peers, budget.at(case.pace));
    for peer in &peers {
        if peer.ended {
            let name = &peer.figures.name;
            missing.push(format!("{name}: {FAILED}"));
        }
    }
    let peers = peers.into_iter().filter(|peer| !peer.ended);
    let peers = peers.map(|peer| peer.figures).collect();
    let mut figures = Figures {
        name: case.name,
        title: case.title,
        about: case.about,
        unit: case.unit,
        peers,
        verdicts: Vec::new(),
        missing,
    };
    figures.verdicts = case
        .aims
        .iter()
        .filter_map(|aim| figures.judge(aim))
        .collect();
    figures
}

/// A peer that is ready.
struct Contestant {
    figures: PeerFigures,
    round: Round,
    /// Whether it has none any more.
    ended: bool,
}

impl Contestant {
    fn is_derived(&self) -> bool {
        self.figures.kind == Kind::Derived
    }
}

fn play(peers: &mut [Contestant], budget: Budget) {
    if peers.is_empty() {
        return;
    }
    let mut start = Instant::now();
    for number in 0..budget.warm_up + budget.most {
        if number == budget.warm_up {
            start = Instant::now();
        }
        let hurry = budget.hurry.is_some_and(|hurry| hurry < Instant::now());
        let fewest = if hurry { 1 } else { budget.fewest };
        let over = hurry || start.elapsed() >= budget.time;
        if number >= budget.warm_up + fewest && over {
            break;
        }
        for place in order(peers, number) {
            let peer = &mut peers[place];
            if peer.ended {
                continue;
            }
            // One that cannot go on, and has said why, shall not end the others.
            match catch_unwind(AssertUnwindSafe(&mut peer.round)) {
                Ok(figure) if number >= budget.warm_up => peer.figures.rounds.push(figure),
                Ok(_) => {}
                Err(_) => peer.ended = true,
            }
        }
    }
}

/// Each round begins with another peer, so that none always comes after the same one's leftovers.
/// One that is derived stays behind the one that it is derived from.
fn order(peers: &[Contestant], number: usize) -> Vec<usize> {
    let mut first = number % peers.len().max(1);
    while peers.get(first).is_some_and(Contestant::is_derived) && first > 0 {
        first -= 1;
    }
    (first..peers.len()).chain(0..first).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::case::{Aim, OURS, Unit};
    use crate::figures::Held;

    const CONTEXT: Context = Context {
        python: None,
        no_clusters: None,
    };

    fn budget(rounds: usize) -> Budget {
        Budget {
            time: Duration::ZERO,
            fewest: rounds,
            most: rounds,
            warm_up: 2,
            hurry: None,
        }
    }

    /// A peer that writes its name down and takes as long as its round's number says.
    fn noting(case: Case, name: &'static str, notes: &Rc<RefCell<String>>) -> Case {
        let notes = Rc::clone(notes);
        case.peer(name, move |_| {
            let mut round = 0.0;
            move || {
                notes.borrow_mut().push_str(name);
                round += 1.0;
                round
            }
        })
    }

    #[test]
    fn peers_take_turns_and_begin_in_turn() {
        let notes = Rc::default();
        let mut case = Case::new("case", "Case", Unit::Seconds);
        for name in ["a", "b", "c"] {
            case = noting(case, name, &notes);
        }
        run(case, &CONTEXT, budget(2));
        assert_eq!(*notes.borrow(), "abcbcacababc");
    }

    #[test]
    fn rounds_of_the_warm_up_do_not_count() {
        let notes = Rc::default();
        let case = noting(Case::new("case", "Case", Unit::Seconds), OURS, &notes);
        let figures = run(case.aim(Aim::amount(4.0)), &CONTEXT, budget(3));
        assert_eq!(figures.peers[0].rounds, [3.0, 4.0, 5.0]);
        assert!(figures.verdicts[0].held() == Held::Yes);
    }

    #[test]
    fn in_a_hurry_one_round_must_do() {
        let notes = Rc::default();
        let case = noting(Case::new("case", "Case", Unit::Seconds), OURS, &notes);
        let budget = Budget {
            hurry: Some(Instant::now()),
            ..budget(3)
        };
        assert_eq!(run(case, &CONTEXT, budget).peers[0].rounds, [3.0]);
    }

    #[test]
    fn a_derived_peer_comes_after_its_own() {
        let notes = Rc::default();
        let mut case = noting(Case::new("case", "Case", Unit::Seconds), "a", &notes);
        let derived = Rc::clone(&notes);
        case = case.derived("d", move || {
            derived.borrow_mut().push('d');
            0.0
        });
        run(noting(case, "b", &notes), &CONTEXT, budget(1));
        assert_eq!(*notes.borrow(), "adbadbbad");
    }

    #[test]
    fn without_python_its_peers_are_left_out() {
        let notes = Rc::default();
        let case = noting(Case::new("case", "Case", Unit::Seconds), OURS, &notes);
        let case = case.python("joblib", "Joblib", &[]);
        let figures = run(case, &CONTEXT, budget(1));
        assert_eq!(figures.peers.len(), 1);
    }

    #[test]
    fn a_peer_that_cannot_start_is_named() {
        let case = Case::new("case", "Case", Unit::Seconds)
            .try_peer("valgrind", |_| Err("is not installed".to_owned()));
        let figures = run(case, &CONTEXT, budget(1));
        assert_eq!(figures.missing, ["valgrind: is not installed"]);
    }
}

//! A case is one question: what do these peers take for the same tasks? It says what the answer should be,
//! too. What a peer needs is made when its case begins, and goes when it ends.

use crate::python::Python;

/// This library, among its peers.
pub(crate) const OURS: &str = "parallel";

/// So many jobs have all peers, unless a case is about their number.
pub(crate) const JOBS: usize = 2;

/// One round of a peer, whose figure it gives.
pub(crate) type Round = Box<dyn FnMut() -> f64>;

/// Makes a peer ready.
type Start = Box<dyn FnOnce(&Context) -> Result<Round, String>>;

/// What a run of the benchmarks has for all cases.
pub(crate) struct Context {
    /// An interpreter with the Python peers.
    pub(crate) python: Option<Python>,
    /// Why clusters are left out, if they are.
    pub(crate) no_clusters: Option<&'static str>,
}

/// What a figure counts; less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Unit {
    Seconds,
    Bytes,
    Instructions,
}

pub(crate) struct Case {
    /// What `--only` takes, and part of the names of files.
    pub(crate) name: String,
    pub(crate) title: String,
    /// What is done and what a figure tells, for the page.
    pub(crate) about: String,
    pub(crate) unit: Unit,
    pub(crate) peers: Vec<Peer>,
    pub(crate) aims: Vec<Aim>,
    pub(crate) pace: Pace,
}

/// How many rounds a case needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Many,
    /// They take long.
    Few,
    /// Each is a process of its own, which is never warm.
    Fresh,
    /// All would be alike.
    One,
}

pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) start: Start,
    pub(crate) kind: Kind,
    /// Where on the x axis it is, and on which line, if the case is drawn as lines.
    pub(crate) point: Option<(&'static str, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Kind {
    /// This library.
    Ours,
    Rust,
    Python,
    /// What nobody can be quicker than, or what it takes without any of them.
    Yardstick,
    /// Its figure comes from the round of the peer before it, which so must be first.
    Derived,
}

/// What must hold for a figure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aim {
    pub(crate) who: String,
    pub(crate) limit: Limit,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Limit {
    /// At most so many times what each of these takes.
    Times(f64, Vec<String>),
    /// At most so much, in the case's unit.
    Amount(f64),
}

impl Aim {
    /// Ours takes at most `factor` times what each of `peers` takes.
    pub(crate) fn times(factor: f64, peers: &[&str]) -> Self {
        let peers = peers.iter().map(|&peer| peer.to_owned()).collect();
        let limit = Limit::Times(factor, peers);
        let who = OURS.to_owned();
        Self { who, limit }
    }

    /// Ours takes at most so much.
    pub(crate) fn amount(most: f64) -> Self {
        let limit = Limit::Amount(most);
        let who = OURS.to_owned();
        Self { who, limit }
    }

    /// The aim is not about ours but about `peer`.
    pub(crate) fn of(mut self, peer: impl Into<String>) -> Self {
        self.who = peer.into();
        self
    }
}

impl Case {
    pub(crate) fn new(name: impl Into<String>, title: impl Into<String>, unit: Unit) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            about: String::new(),
            unit,
            peers: Vec::new(),
            aims: Vec::new(),
            pace: Pace::Many,
        }
    }

    /// Its rounds take long, so that there are but few.
    pub(crate) fn heavy(mut self) -> Self {
        self.pace = Pace::Few;
        self
    }

    /// Each of its rounds is a process of its own.
    pub(crate) fn fresh(mut self) -> Self {
        self.pace = Pace::Fresh;
        self
    }

    /// It counts what does not change from round to round.
    pub(crate) fn exact(mut self) -> Self {
        self.pace = Pace::One;
        self
    }

    pub(crate) fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    pub(crate) fn aim(mut self, aim: Aim) -> Self {
        self.aims.push(aim);
        self
    }

    /// `start` makes the peer ready and gives what one round is.
    pub(crate) fn peer<R>(
        self,
        name: impl Into<String>,
        start: impl FnOnce(&Context) -> R + 'static,
    ) -> Self
    where
        R: FnMut() -> f64 + 'static,
    {
        self.try_peer(name, |context| Ok(Box::new(start(context))))
    }

    /// As [`peer`](Self::peer), of which `start` may not be able to.
    pub(crate) fn try_peer(
        self,
        name: impl Into<String>,
        start: impl FnOnce(&Context) -> Result<Round, String> + 'static,
    ) -> Self {
        let name = name.into();
        let ours = name == OURS || name.starts_with("parallel, ");
        let kind = if ours { Kind::Ours } else { Kind::Rust };
        self.any_peer(name, kind, Box::new(start))
    }

    /// Makes a yardstick of the peer added last.
    pub(crate) fn yardstick(mut self) -> Self {
        if let Some(peer) = self.peers.last_mut() {
            peer.kind = Kind::Yardstick;
        }
        self
    }

    /// Says that the peer added last is Python's.
    pub(crate) fn of_python(mut self) -> Self {
        if let Some(peer) = self.peers.last_mut() {
            peer.kind = Kind::Python;
        }
        self
    }

    /// A peer that gives what the round of the peer before it found out besides.
    pub(crate) fn derived(
        self,
        name: impl Into<String>,
        figure: impl FnMut() -> f64 + 'static,
    ) -> Self {
        let start: Start = Box::new(move |_| Ok(Box::new(figure)));
        self.any_peer(name, Kind::Derived, start)
    }

    /// A class of `peers.py`, made with these arguments, whose method `round` gives the figure.
    pub(crate) fn python(self, name: &str, class: &'static str, arguments: &[f64]) -> Self {
        let arguments = arguments.to_vec();
        let start: Start = Box::new(move |context| {
            let python = context.python.as_ref().ok_or("there is no Python")?;
            python.start(class, &arguments)
        });
        self.any_peer(name, Kind::Python, start)
    }

    /// Puts the peer added last on the line `line`, at `x`.
    pub(crate) fn at(mut self, line: &'static str, x: f64) -> Self {
        if let Some(peer) = self.peers.last_mut() {
            peer.point = Some((line, x));
        }
        self
    }

    fn any_peer(mut self, name: impl Into<String>, kind: Kind, start: Start) -> Self {
        self.peers.push(Peer {
            name: name.into(),
            start,
            kind,
            point: None,
        });
        self
    }
}

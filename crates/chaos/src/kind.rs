//! What tasks do.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::setup::Setup;

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Kind {
    Nothing,
    Spin,
    Sleep,
    Large,
    Flood,
    Fork,
    LeaveGrandchild,
    Panic,
    Abort,
    Segfault,
    Exit,
    CorruptHeap,
    CloseAll,
    KillGroup,
    UseUpMemory,
    Hang,
    StopItself,
}

impl Kind {
    pub(crate) const ALL: [Self; 17] = [
        Self::Nothing,
        Self::Spin,
        Self::Sleep,
        Self::Large,
        Self::Flood,
        Self::Fork,
        Self::LeaveGrandchild,
        Self::Panic,
        Self::Abort,
        Self::Segfault,
        Self::Exit,
        Self::CorruptHeap,
        Self::CloseAll,
        Self::KillGroup,
        Self::UseUpMemory,
        Self::Hang,
        Self::StopItself,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Spin => "spin",
            Self::Sleep => "sleep",
            Self::Large => "large values",
            Self::Flood => "print a flood",
            Self::Fork => "fork",
            Self::LeaveGrandchild => "leave a process",
            Self::Panic => "panic",
            Self::Abort => "abort",
            Self::Segfault => "segfault",
            Self::Exit => "exit",
            Self::CorruptHeap => "corrupt the heap",
            Self::CloseAll => "close all files",
            Self::KillGroup => "kill own group",
            Self::UseUpMemory => "use up memory",
            Self::Hang => "hang",
            Self::StopItself => "stop itself",
        }
    }

    /// How many of the special kinds a wave has at most. Those that cost time are few.
    fn most(self) -> u32 {
        match self {
            Self::Nothing | Self::Spin | Self::Sleep | Self::Large => 0,
            Self::Hang | Self::StopItself => 2,
            Self::Flood | Self::LeaveGrandchild | Self::CloseAll | Self::KillGroup => 4,
            Self::Abort | Self::Segfault | Self::Exit | Self::CorruptHeap | Self::UseUpMemory => 6,
            Self::Fork | Self::Panic => 12,
        }
    }

    /// Whether such a task comes to an end, and harms nobody else, where this is so.
    fn possible(self, setup: &Setup) -> bool {
        match self {
            Self::Hang | Self::StopItself => setup.timeout.is_some(),
            Self::UseUpMemory => setup.memory_limit.is_some(),
            _ => true,
        }
    }
}

/// What one task is to do, and how much of it: microseconds, KiB, an exit code, a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) kind: Kind,
    pub(crate) amount: u32,
}

impl Deed {
    fn new(kind: Kind, rng: &mut ChaCha8Rng) -> Self {
        let amount = match kind {
            Kind::Spin | Kind::Sleep => rng.random_range(0..2_000),
            Kind::Large => rng.random_range(1..3 << 10),
            Kind::Flood => rng.random_range(1 << 10..4 << 10),
            Kind::Exit => rng.random_range(0..256),
            Kind::CorruptHeap => rng.random_range(0..3),
            _ => 0,
        };
        Self { kind, amount }
    }
}

/// What the tasks of a wave are to do.
pub(crate) fn deeds(setup: &Setup, rng: &mut ChaCha8Rng) -> Vec<Deed> {
    let number = [20, 200, 800, 2500][rng.random_range(0..4)];
    let mut deeds: Vec<Deed> = (0..number)
        .map(|_| {
            let kind = match rng.random_range(0..100) {
                0..60 => Kind::Nothing,
                60..80 => Kind::Spin,
                80..97 => Kind::Sleep,
                _ => Kind::Large,
            };
            Deed::new(kind, rng)
        })
        .collect();
    for kind in Kind::ALL {
        // Drawn in any case, so that one kind more or less changes nothing for the others.
        for _ in 0..rng.random_range(0..=kind.most()) {
            let (deed, place) = (Deed::new(kind, rng), rng.random_range(0..number));
            if kind.possible(setup) {
                deeds[place] = deed;
            }
        }
    }
    deeds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeds::Seeds;

    #[test]
    fn the_seed_says_what_is_asked() {
        let ask = |seed| {
            let seeds = Seeds { seed, storm: 3 };
            let setup = Setup::draw(&mut seeds.of_setup());
            let deeds = deeds(&setup, &mut seeds.of_wave(1));
            (setup, deeds)
        };
        assert_eq!(ask(5), ask(5));
        assert_ne!(ask(5).1, ask(6).1);
    }
}

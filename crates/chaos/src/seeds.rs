//! From one seed, a stream of random numbers for each purpose: what is asked in one storm depends on no
//! other.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// The seed of a run, and the number of a storm in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeds {
    pub(crate) seed: u64,
    pub(crate) storm: u32,
}

impl Seeds {
    pub(crate) fn of_setup(self) -> ChaCha8Rng {
        self.stream(0, 0)
    }

    pub(crate) fn of_wave(self, wave: u32) -> ChaCha8Rng {
        self.stream(1, wave)
    }

    pub(crate) fn of_hits(self) -> ChaCha8Rng {
        self.stream(2, 0)
    }

    fn stream(self, purpose: u8, wave: u32) -> ChaCha8Rng {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.storm.to_le_bytes());
        bytes[12..16].copy_from_slice(&wave.to_le_bytes());
        bytes[16] = purpose;
        ChaCha8Rng::from_seed(bytes)
    }
}

use parallel::{Parallel, Processes, delayed};

fn main() {
    let parallel = Parallel::new(2).backend(Processes::new());
    assert_eq!(parallel.run((0..3u64).map(|i| delayed(|i| i * i, i))).unwrap(), [0, 1, 4]);
}

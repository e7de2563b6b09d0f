use parallel::{Parallel, Processes};

fn square(i: u64) -> u64 {
    i * i
}

fn main() {
    let chosen: fn(u64) -> u64 = square;
    let _ = Parallel::new(2).backend(Processes::new()).map(chosen, 0..3);
}

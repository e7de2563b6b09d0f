use parallel::{Parallel, Processes};

fn prices(i: u64) -> &'static [u64] {
    if i == 0 { &[1] } else { &[2, 3] }
}

fn main() {
    let _ = Parallel::new(2).backend(Processes::new()).map(prices, 0..2);
}

use parallel::{Parallel, Processes};

fn name(i: u64) -> &'static str {
    if i == 0 { "Flour" } else { "Yeast" }
}

fn main() {
    let _ = Parallel::new(2).backend(Processes::new()).map(name, 0..2);
}

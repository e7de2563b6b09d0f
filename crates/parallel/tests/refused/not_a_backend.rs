use parallel::{Parallel, delayed};

fn main() {
    let _ = Parallel::new(2).backend("processes").run([delayed(|i| i, 1)]);
}

use parallel::{Parallel, Processes};

struct Dish(u64);

fn main() {
    let _ = Parallel::new(2).backend(Processes::new()).map(Dish, 0..3);
}

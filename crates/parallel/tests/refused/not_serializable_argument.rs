use parallel::{Parallel, Processes, delayed};

struct Dish(u64);

fn main() {
    let tasks = (0..3u64).map(|i| delayed(|dish: Dish| dish.0, Dish(i)));
    let _ = Parallel::new(2).backend(Processes::new()).run(tasks);
}

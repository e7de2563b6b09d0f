use std::rc::Rc;

use parallel::{Parallel, delayed};

fn main() {
    let tasks = (0..3u64).map(|i| delayed(|i: Rc<u64>| *i, Rc::new(i)));
    let _ = Parallel::new(2).run(tasks);
}

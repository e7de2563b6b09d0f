use parallel::{Parallel, delayed};

fn main() {
    let parallel = Parallel::new(2);
    let lengths = {
        let names = vec![String::from("Flour")];
        parallel.run(names.iter().map(|name| delayed(|n: &String| n.as_str(), name)))
    };
    println!("{lengths:?}");
}

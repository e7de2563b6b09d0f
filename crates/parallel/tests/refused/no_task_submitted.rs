use parallel::Parallel;

fn main() {
    let _ = Parallel::new(2).submit(|| 3);
}

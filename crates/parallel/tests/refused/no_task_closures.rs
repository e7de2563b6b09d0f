use parallel::Parallel;

fn main() {
    let _ = Parallel::new(2).run((0..3).map(|i| move || i * i));
}

//! Tasks on threads may borrow: nothing is cloned, nothing is counted.
//! Run it with `cargo run --example borrowed`.

use parallel::{Parallel, delayed};

fn main() -> Result<(), parallel::Error> {
    let text = "Cooking takes time; cooking in parallel takes less of it.\n".repeat(10_000);
    let parallel = Parallel::new(-1);

    // The tasks look into `text`, and so do the results.
    let lines: Vec<&str> = text.lines().collect();
    let longest_words = parallel.run(lines.chunks(500).map(|part| delayed(longest_word, part)))?;
    assert!(longest_words.iter().all(|&word| word == "parallel"));

    // A closure may capture a reference as well.
    let needle = "cooking";
    let counts = parallel.map(|part: &[&str]| count(part, needle), lines.chunks(500))?;
    let total: usize = counts.iter().sum();
    assert_eq!(total, 10_000);

    println!(
        "{total} times {needle:?}; the longest word is {:?}",
        longest_words[0]
    );
    Ok(())
}

fn longest_word<'text>(lines: &[&'text str]) -> &'text str {
    lines
        .iter()
        .flat_map(|line| line.split(|c: char| !c.is_alphabetic()))
        .max_by_key(|word| word.len())
        .unwrap_or_default()
}

fn count(lines: &[&str], needle: &str) -> usize {
    lines.iter().map(|line| line.matches(needle).count()).sum()
}

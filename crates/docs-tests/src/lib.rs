//! Tests the README and the book: each Rust block in them is compiled and run as a doctest.

macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($path)]
            mod $name {}
        )*

        /// Where the pages are, seen from here.
        #[cfg(test)]
        const PAGES: &[&str] = &[$($path),*];
    };
}

pages! {
    readme: "../../../README.md",
    introduction: "../../../docs/src/introduction.md",
    running_tasks: "../../../docs/src/running-tasks.md",
    processes: "../../../docs/src/processes.md",
    choosing: "../../../docs/src/choosing.md",
    writing_a_backend: "../../../docs/src/writing-a-backend.md",
    architecture: "../../../docs/src/architecture.md",
    decisions: "../../../docs/src/decisions.md",
}

#[cfg(test)]
mod tests {
    use super::PAGES;
    use std::fs::{read_dir, read_to_string};
    use std::path::Path;

    #[test]
    fn every_chapter_of_the_book_is_tested() {
        let summary = include_str!("../../../docs/src/SUMMARY.md");
        let chapters = summary
            .split("](")
            .skip(1)
            .filter_map(|link| link.split(')').next());
        for chapter in chapters {
            let path = format!("../../../docs/src/{chapter}");
            assert!(PAGES.contains(&path.as_str()), "add {chapter} to `pages!`");
        }
    }

    #[test]
    fn the_book_lists_the_files_with_unsafe_code() {
        let chapter = include_str!("../../../docs/src/architecture.md");
        let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../parallel/src"));
        let mut unlisted = Vec::new();
        visit(sources, &mut |file| {
            let name = file.strip_prefix(sources).unwrap().display().to_string();
            let allows = read_to_string(file)
                .unwrap()
                .contains("#![allow(unsafe_code");
            if allows != chapter.contains(&format!("| `{name}` |")) {
                unlisted.push(name);
            }
        });
        assert!(
            unlisted.is_empty(),
            "the table is not right about {unlisted:?}"
        );
    }

    fn visit(folder: &Path, see: &mut impl FnMut(&Path)) {
        for entry in read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, see);
            } else {
                see(&path);
            }
        }
    }
}

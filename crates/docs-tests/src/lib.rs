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
    streaming: "../../../docs/src/streaming.md",
    processes: "../../../docs/src/processes.md",
    large_data: "../../../docs/src/large-data.md",
    trouble: "../../../docs/src/trouble.md",
    clusters: "../../../docs/src/clusters.md",
    watching: "../../../docs/src/watching.md",
    report: "../../../docs/src/report.md",
    choosing: "../../../docs/src/choosing.md",
    from_joblib: "../../../docs/src/from-joblib.md",
    benchmarks: "../../../docs/src/benchmarks.md",
    writing_a_backend: "../../../docs/src/writing-a-backend.md",
    architecture: "../../../docs/src/architecture.md",
    worker_life: "../../../docs/src/worker-life.md",
    decisions: "../../../docs/src/decisions.md",
    decisions_clusters: "../../../docs/src/decisions-clusters.md",
}

#[cfg(test)]
mod tests {
    use super::PAGES;
    use std::collections::BTreeSet;
    use std::fs::{read_dir, read_to_string};
    use std::path::Path;

    const ARCHITECTURE: &str = include_str!("../../../docs/src/architecture.md");

    /// Calls with each source file of the library, and its name below the folder of all.
    fn visit_sources(call: &mut impl FnMut(&Path, String)) {
        let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../parallel/src"));
        visit(sources, &mut |file| {
            let name = file.strip_prefix(sources).unwrap().display().to_string();
            call(file, name);
        });
    }

    fn is_source(file: &Path) -> bool {
        file.extension().is_some_and(|e| e == "rs" || e == "py")
    }

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
        let mut unlisted = Vec::new();
        visit_sources(&mut |file, name| {
            let allows = read_to_string(file)
                .unwrap()
                .contains("#![allow(unsafe_code");
            if allows != ARCHITECTURE.contains(&format!("| `{name}` |")) {
                unlisted.push(name);
            }
        });
        assert!(
            unlisted.is_empty(),
            "the table is not right about {unlisted:?}"
        );
    }

    #[test]
    fn the_book_lists_the_files_of_the_library() {
        let mut there = BTreeSet::new();
        visit_sources(&mut |file, name| {
            let stem = file.file_stem().unwrap().to_str().unwrap();
            // What is in a folder its own line says.
            if is_source(file) && stem != "mod" && !stem.ends_with("tests") {
                there.insert(name);
            }
        });
        let mut listed = files_in(ARCHITECTURE);
        listed.retain(|file| !file.ends_with("/mod.rs"));
        let differ: Vec<_> = there.symmetric_difference(&listed).collect();
        assert!(
            differ.is_empty(),
            "architecture.md lists what is not there, or lacks what is: {differ:?}"
        );
    }

    /// The files in a chapter's tree of them: below a folder, whose name ends with a slash, what is set in more.
    fn files_in(chapter: &str) -> BTreeSet<String> {
        let (_, tree) = chapter.split_once("```text\n lib.rs").unwrap();
        let tree = format!(" lib.rs{}", tree.split_once("```").unwrap().0);
        let (mut folders, mut files) = (Vec::<(usize, &str)>::new(), BTreeSet::new());
        for line in tree.lines() {
            let entry = line.trim_start();
            let indent = line.len() - entry.len();
            let names = entry.split("  ").next().unwrap();
            folders.retain(|(folder, _)| *folder < indent);
            if names.ends_with('/') {
                folders.push((indent, names));
                continue;
            }
            let folder: String = folders.iter().map(|(_, name)| *name).collect();
            files.extend(names.split(", ").map(|name| format!("{folder}{name}")));
        }
        files
    }

    #[test]
    fn no_file_has_400_lines() {
        let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let mut long = Vec::new();
        visit(crates, &mut |file| {
            if is_source(file) && read_to_string(file).unwrap().lines().count() >= 400 {
                long.push(file.display().to_string());
            }
        });
        assert!(
            long.is_empty(),
            "one idea a file: move the walls of {long:?}"
        );
    }

    #[test]
    fn the_tests_that_the_book_names_exist() {
        let chapter = include_str!("../../../docs/src/worker-life.md");
        let (_, promises) = chapter.split_once("\n## Promises\n").unwrap();
        let tests = tests();
        let rows = promises.lines().filter(|line| line.starts_with('|'));
        let mut promised = 0;
        for row in rows.skip(2) {
            let cell = row.trim_matches('|').rsplit('|').next().unwrap();
            let mut names = cell.split('`').skip(1).step_by(2).peekable();
            assert!(names.peek().is_some(), "nothing holds this: {row}");
            // Files and folders may stand for what is in them.
            for name in names.filter(|name| !name.contains(['.', '/'])) {
                assert!(tests.contains(name), "there is no test {name}: {row}");
                promised += 1;
            }
        }
        assert!(promised > 0, "the table is gone");
    }

    /// The names of the library's tests.
    fn tests() -> BTreeSet<String> {
        let library = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../parallel"));
        let mut tests = BTreeSet::new();
        let mut read = |file: &Path| {
            let source = read_to_string(file).unwrap();
            for behind in source.split("#[test]").skip(1) {
                let name = behind
                    .split_once("fn ")
                    .and_then(|(_, name)| name.split_once('('));
                tests.extend(name.map(|(name, _)| name.to_owned()));
            }
            // Those that are no functions with an attribute but texts in a list.
            if file.ends_with("tests/program/main.rs") {
                tests.extend(source.split('"').skip(1).step_by(2).map(str::to_owned));
            }
        };
        visit(&library.join("src"), &mut read);
        visit(&library.join("tests"), &mut read);
        tests
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

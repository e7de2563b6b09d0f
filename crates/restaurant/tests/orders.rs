//! Orders and menus that somebody wrote, and what is wrong with them.

mod common;

use common::{BACKENDS, TempFile, run, steps, text};

const FAULTY: &str = "\
# this evening
Ada, Pizza

Piza
  Bob ,  Salad\r
Eve,
, Pizza
pizza
Sushi
Chicken Stir Fry";

#[test]
fn a_faulty_order_is_told_with_file_line_and_nearest_dish() {
    let file = TempFile::new("faulty.txt", FAULTY);
    for backend in BACKENDS {
        let output = run(&["--backend", backend, "--orders", file.path()], "", 1);
        let told = text(&output.stderr).replace(file.path(), "orders.txt");
        insta::allow_duplicates! {
            insta::assert_snapshot!(told, @r#"
            orders.txt:4: "Piza" is not on the menu: the nearest dish is "Pizza"
            orders.txt:6: no dish is named after the comma: write one order a line, as in `Pizza` or `Ada, Pizza`
            orders.txt:7: the customer before the comma has no name: write one order a line, as in `Pizza` or `Ada, Pizza`
            orders.txt:8: "pizza" is not on the menu: the nearest dish is "Pizza"
            orders.txt:9: "Sushi" is not on the menu: the nearest dish is "Salad"
            "#);
        }
        let served: Vec<_> = steps(&output)
            .lines()
            .filter(|line| line.starts_with("O- "))
            .collect();
        assert_eq!(served.len(), 3, "{backend}: {served:?}");
    }
}

#[test]
fn standard_input_is_called_by_its_name() {
    let output = run(&["--orders", "-", "--quiet"], "Pizza\nSoup\n", 1);
    assert_eq!(
        text(&output.stderr),
        "standard input:2: \"Soup\" is not on the menu: the nearest dish is \"Salad\"\n"
    );
}

#[test]
fn bytes_that_are_no_text_and_lines_without_end_cost_one_order() {
    let mut orders = b"Pizza\n\xff\xfe\n".to_vec();
    orders.extend(std::iter::repeat_n(b'x', 1 << 20));
    orders.extend(b"\nSalad\n");
    let file = TempFile::new("binary.txt", orders);
    let output = run(&["--orders", file.path(), "--quiet"], "", 1);
    assert!(text(&output.stdout).starts_with("dishes     2\n"));
    let told = text(&output.stderr).replace(file.path(), "orders.txt");
    insta::assert_snapshot!(told, @r"
    orders.txt:2: the line is not UTF-8 text: write one order a line, as in `Pizza` or `Ada, Pizza`
    orders.txt:3: the line is longer than 4096 bytes: write one order a line, as in `Pizza` or `Ada, Pizza`
    ");
}

#[test]
fn orders_that_cannot_be_read_are_an_error() {
    let output = run(&["--orders", "/nowhere/orders.txt"], "", 2);
    assert!(output.stdout.is_empty());
    assert_eq!(
        text(&output.stderr),
        "error: cannot read the orders from /nowhere/orders.txt: No such file or directory (os error 2)\n"
    );
    let output = run(&["--orders", "/"], "", 2);
    assert_eq!(
        text(&output.stderr),
        "error: cannot read the orders from /: it is a directory\n"
    );
}

#[test]
fn no_orders_are_an_early_night() {
    for backend in BACKENDS {
        let output = run(&["--backend", backend, "--orders", "-"], "\n# nobody\n", 0);
        assert!(
            text(&output.stdout).starts_with("\ndishes     0\n"),
            "{backend}"
        );
    }
}

#[test]
fn a_menu_may_be_ones_own() {
    let menu = TempFile::new(
        "menu.toml",
        "Soup = ['Water', 'Salt']\n'Fish, Chips' = ['Fish', 'Chips']\n",
    );
    let output = run(
        &[
            "--menu",
            menu.path(),
            "--backend",
            "sequential",
            "--orders",
            "-",
        ],
        "Soup\nFish, Chips\nAda, Fish, Chips\n",
        0,
    );
    assert!(steps(&output).ends_with("Served Soup\nServed Fish, Chips\nServed Fish, Chips"));
}

#[test]
fn a_menu_with_faulty_dishes_serves_the_others() {
    let menu = TempFile::new(
        "faulty.toml",
        "Soup = ['Water']\nAir = []\n'' = ['Salt']\nSoup = ['Fish']\nTea = ['Leaves']\nTEA = ['Bag']\n",
    );
    let output = run(
        &["--menu", menu.path(), "--orders", "-", "--quiet"],
        "Soup\nTea\nAir\n",
        1,
    );
    assert!(text(&output.stdout).starts_with("dishes     2\n"));
    let told = text(&output.stderr).replace(menu.path(), "menu.toml");
    insta::assert_snapshot!(told, @r#"
    menu.toml:2: the dish "Air" has no ingredients
    menu.toml:3: a dish has an empty name: write `Pizza = ["Flour", "Yeast"]`
    menu.toml:4: the dish "Soup" is on the menu already
    menu.toml:6: the dish "TEA" is on the menu already, in line 5
    standard input:3: "Air" is not on the menu: the nearest dish is "Tea"
    "#);
}

#[test]
fn what_is_no_menu_is_an_error() {
    for (menu, told) in [
        ("", "error: menu.toml:1: there is no dish on the menu"),
        (
            "Soup = ['Water']\nTea = ",
            "error: menu.toml:2: this is not TOML: ",
        ),
    ] {
        let file = TempFile::new("broken.toml", menu);
        let output = run(&["--menu", file.path()], "", 2);
        let stderr = text(&output.stderr).replace(file.path(), "menu.toml");
        assert!(stderr.starts_with(told), "{stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_menu_that_is_no_text_is_told_so() {
    let file = TempFile::new("binary.toml", [0xff, 0xfe]);
    let output = run(&["--menu", file.path()], "", 2);
    let told = text(&output.stderr).replace(file.path(), "menu.toml");
    assert_eq!(
        told,
        "error: cannot read the menu from menu.toml: it is not UTF-8 text\n"
    );
}

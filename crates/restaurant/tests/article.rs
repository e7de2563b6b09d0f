//! What the article's program prints.

mod common;

use common::{BACKENDS, TempFile, run, sorted, steps, text};

/// Line for line what Python prints for these two orders in a plain loop.
#[test]
fn the_lines_are_the_articles_in_its_order() {
    let output = run(
        &["--backend", "sequential", "--orders", "-"],
        "Pizza\nChicken Biryani\n",
        0,
    );
    insta::assert_snapshot!(steps(&output), @r"
    I- Ordered Pizza
    Get ingredients for Pizza...
    Cooking ingredient Flour...
    Seasoning Cooked Flour...
    Served Cooked Flour with a pinch of magic
    Cooking ingredient Yeast...
    Seasoning Cooked Yeast...
    Served Cooked Yeast with a pinch of magic
    Cooking ingredient Tomato Sauce...
    Seasoning Cooked Tomato Sauce...
    Served Cooked Tomato Sauce with a pinch of magic
    Cooking ingredient Mozzarella Cheese...
    Seasoning Cooked Mozzarella Cheese...
    Served Cooked Mozzarella Cheese with a pinch of magic
    Cooking ingredient Pepperoni...
    Seasoning Cooked Pepperoni...
    Served Cooked Pepperoni with a pinch of magic
    O- Served Pizza
    I- Ordered Chicken Biryani
    Get ingredients for Chicken Biryani...
    Cooking ingredient Chicken...
    Seasoning Cooked Chicken...
    Served Cooked Chicken with a pinch of magic
    Cooking ingredient Onion...
    Seasoning Cooked Onion...
    Served Cooked Onion with a pinch of magic
    Cooking ingredient Garlic...
    Seasoning Cooked Garlic...
    Served Cooked Garlic with a pinch of magic
    Cooking ingredient Rice...
    Seasoning Cooked Rice...
    Served Cooked Rice with a pinch of magic
    Cooking ingredient Yogurt...
    Seasoning Cooked Yogurt...
    Served Cooked Yogurt with a pinch of magic
    Cooking ingredient Spices...
    Seasoning Cooked Spices...
    Served Cooked Spices with a pinch of magic
    O- Served Chicken Biryani
    Served Pizza
    Served Chicken Biryani
    ");
}

#[test]
fn every_backend_prints_the_same_lines() {
    let same = ["--customers", "300", "--seed", "42", "--backend"];
    let on = |backend: &'static str| run(&[same.as_slice(), &[backend]].concat(), "", 0);
    let sequential = on("sequential");
    assert!(sequential.stderr.is_empty());
    for backend in BACKENDS {
        let output = on(backend);
        assert_eq!(
            sorted(steps(&output)),
            sorted(steps(&sequential)),
            "{backend}"
        );
        assert!(output.stderr.is_empty(), "{backend}");
    }
}

/// The lines about a dish stay together, from its order on, where nobody watches them live.
#[test]
fn the_lines_of_a_dish_stay_together() {
    for backend in BACKENDS {
        let output = run(
            // So many that they are written in many pieces.
            &["--customers", "3000", "--seed", "7", "--backend", backend],
            "",
            0,
        );
        let mut lines = steps(&output).lines();
        for _ in 0..3000 {
            let dish = lines.next().unwrap().strip_prefix("I- Ordered ").unwrap();
            assert_eq!(
                lines.next().unwrap(),
                format!("Get ingredients for {dish}...")
            );
            let last = lines.find(|line| line.starts_with("O- ")).unwrap();
            assert_eq!(last, format!("O- Served {dish}"), "{backend}");
        }
    }
}

/// The article's last loop: in the order in which they were ordered, on every backend.
#[test]
fn served_dishes_are_listed_as_they_were_ordered() {
    for backend in BACKENDS {
        let output = run(
            &["--backend", backend, "--orders", "-"],
            "Salad\nPizza\nSpaghetti\nPizza\n",
            0,
        );
        let list: Vec<_> = steps(&output).lines().rev().take(4).collect();
        assert_eq!(
            list,
            [
                "Served Pizza",
                "Served Spaghetti",
                "Served Pizza",
                "Served Salad"
            ],
            "{backend}"
        );
    }
}

#[test]
fn a_file_gets_the_same_as_a_pipe() {
    for backend in BACKENDS {
        let args = ["--customers", "200", "--seed", "1", "--backend", backend];
        let piped = run(&args, "", 0);
        let file = TempFile::new(&format!("out-{backend}"), "");
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("restaurant"));
        let stdout = std::fs::File::create(&file.0).unwrap();
        assert!(
            command
                .args(args)
                .stdout(stdout)
                .status()
                .unwrap()
                .success()
        );
        let filed = std::fs::read_to_string(&file.0).unwrap();
        let (filed, _) = filed.rsplit_once("\n\n").unwrap();
        assert_eq!(sorted(filed), sorted(steps(&piped)), "{backend}");
    }
}

#[test]
fn quiet_tells_the_summary_only() {
    let output = run(&["--quiet", "--customers", "4", "--seed", "9"], "", 0);
    let labels: Vec<_> = text(&output.stdout)
        .lines()
        .map(|line| line.split("  ").next().unwrap())
        .collect();
    assert_eq!(
        labels,
        [
            "dishes",
            "cooks",
            "wall time",
            "one cook",
            "speed-up",
            "seed"
        ]
    );
}

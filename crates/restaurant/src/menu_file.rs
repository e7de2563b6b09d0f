//! Menus in TOML: a line for each dish, `Pizza = ["Flour", "Yeast"]`.
//!
//! One bad dish does not close the restaurant, so the text is read with recovery, and what is wrong
//! with a dish becomes a [`Fault`] that names its line.

use std::collections::HashMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::fault::Fault;
use crate::menu::{Dish, Menu};

/// Every line that is told stays well below the size in which lines are written at once.
const LONGEST_NAME: usize = 1000;

const EXAMPLE: &str = r#"write `Pizza = ["Flour", "Yeast"]`"#;

pub(crate) fn parse(text: &str, file: &str) -> Result<(Menu, Vec<Fault>), Fault> {
    let fault =
        |at: Range<usize>, message: String| Fault::new(file, line_of(text, at.start), message);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut faults = Vec::new();
    for error in errors {
        let at = error.span().unwrap_or_default();
        if error.message() != "duplicate key" {
            return Err(fault(at, format!("this is not TOML: {}", error.message())));
        }
        let key = text.get(at.clone()).unwrap_or_default().trim();
        let name = key.trim_matches(['"', '\'']);
        faults.push((at, format!("the dish {name:?} is on the menu already")));
    }

    let mut entries: Vec<_> = table.get_ref().iter().collect();
    // The table is sorted by name, the menu is as it was written.
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut dishes: Vec<Dish> = Vec::new();
    let mut lines = HashMap::new();
    for (name, value) in entries {
        let dish = match dish(name.get_ref(), value) {
            Ok(dish) => dish,
            Err(message) => {
                faults.push((name.span(), message));
                continue;
            }
        };
        let line = line_of(text, name.span().start);
        // Nobody could tell them apart when ordering.
        if let Some(first) = lines.get(&dish.name.to_lowercase()) {
            let message = format!(
                "the dish {:?} is on the menu already, in line {first}",
                dish.name
            );
            faults.push((name.span(), message));
            continue;
        }
        lines.insert(dish.name.to_lowercase(), line);
        dishes.push(dish);
    }

    faults.sort_by_key(|(at, _)| at.start);
    let faults = faults
        .into_iter()
        .map(|(at, message)| fault(at, message))
        .collect();
    match Menu::new(dishes) {
        Some(menu) => Ok((menu, faults)),
        None => Err(faults.into_iter().next().unwrap_or_else(|| {
            Fault::new(file, 1, format!("there is no dish on the menu: {EXAMPLE}"))
        })),
    }
}

fn dish(name: &str, value: &Spanned<DeValue<'_>>) -> Result<Dish, String> {
    let name = checked(name).map_err(|why| format!("a dish has {why}: {EXAMPLE}"))?;
    let list = value.get_ref().as_array().ok_or_else(|| {
        let found = match value.get_ref().type_str() {
            "integer" => "an integer".to_owned(),
            found => format!("a {found}"),
        };
        format!("the dish {name:?} needs a list of ingredients, not {found}: {EXAMPLE}")
    })?;
    if list.is_empty() {
        return Err(format!("the dish {name:?} has no ingredients"));
    }
    let ingredients = list.iter().map(|ingredient| {
        let text = ingredient.get_ref().as_str();
        let text =
            text.ok_or_else(|| format!("an ingredient of {name:?} is not a text: {EXAMPLE}"))?;
        checked(text).map_err(|why| format!("an ingredient of {name:?} has {why}"))
    });
    Ok(Dish {
        ingredients: ingredients.collect::<Result<_, _>>()?,
        name,
    })
}

/// A name as it is used: without the space around it, and fit for one line.
fn checked(name: &str) -> Result<String, &'static str> {
    match name.trim() {
        "" => Err("an empty name"),
        name if name.len() > LONGEST_NAME => Err("a name of more than 1000 bytes"),
        name if name.contains(char::is_control) => {
            Err("a line break or control character in its name")
        }
        name => Ok(name.to_owned()),
    }
}

/// The line, counted from 1, that byte `at` is in.
fn line_of(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        match parse(text, "m") {
            Ok((_, faults)) => faults.iter().map(ToString::to_string).collect(),
            Err(fault) => vec![format!("refused: {fault}")],
        }
    }

    #[test]
    fn a_menu_keeps_the_order_of_its_lines() {
        let (menu, faults) = parse("Soup = ['Water']\nBread = [\n'Flour',\n'Salt']", "m").unwrap();
        let names: Vec<_> = menu
            .dishes()
            .iter()
            .map(|dish| dish.name.as_str())
            .collect();
        assert_eq!(names, ["Soup", "Bread"]);
        assert_eq!(menu.get("Bread").unwrap().ingredients, ["Flour", "Salt"]);
        assert!(faults.is_empty());
    }

    #[test]
    fn a_bad_dish_is_told_with_its_line_and_left_out() {
        let good = "Soup = ['Water']\n";
        for (bad, told) in [
            (
                "'' = ['Flour']",
                r#"m:2: a dish has an empty name: write `Pizza = ["Flour", "Yeast"]`"#,
            ),
            ("Air = []", r#"m:2: the dish "Air" has no ingredients"#),
            (
                "Bun = ['']",
                r#"m:2: an ingredient of "Bun" has an empty name"#,
            ),
            (
                "Bun = [1]",
                r#"m:2: an ingredient of "Bun" is not a text: write `Pizza = ["Flour", "Yeast"]`"#,
            ),
            (
                "Bun = 'x'",
                r#"m:2: the dish "Bun" needs a list of ingredients, not a string: write `Pizza = ["Flour", "Yeast"]`"#,
            ),
            (
                "Bun = 1",
                r#"m:2: the dish "Bun" needs a list of ingredients, not an integer: write `Pizza = ["Flour", "Yeast"]`"#,
            ),
            (
                "Soup = ['Fish']",
                r#"m:2: the dish "Soup" is on the menu already"#,
            ),
            (
                "\"Soup\" = ['Fish']",
                r#"m:2: the dish "Soup" is on the menu already"#,
            ),
            (
                "SOUP = ['Fish']",
                r#"m:2: the dish "SOUP" is on the menu already, in line 1"#,
            ),
            (
                "\"a\\nb\" = ['Fish']",
                r#"m:2: a dish has a line break or control character in its name: write `Pizza = ["Flour", "Yeast"]`"#,
            ),
        ] {
            assert_eq!(
                faults(&format!("{good}{bad}\nTea = ['Leaves']\n")),
                [told],
                "{bad}"
            );
        }
    }

    #[test]
    fn of_a_repeated_dish_the_first_stays() {
        let (menu, _) = parse("Soup = ['Water']\nSoup = ['Fish']\n", "m").unwrap();
        assert_eq!(menu.get("Soup").unwrap().ingredients, ["Water"]);
    }

    #[test]
    fn what_is_no_menu_is_refused() {
        assert_eq!(
            faults(""),
            [r#"refused: m:1: there is no dish on the menu: write `Pizza = ["Flour", "Yeast"]`"#]
        );
        assert_eq!(
            faults("\n\nAir = []"),
            [r#"refused: m:3: the dish "Air" has no ingredients"#]
        );
        let broken = faults("Soup = ['Water']\nTea = [");
        assert!(
            broken[0].starts_with("refused: m:2: this is not TOML: "),
            "{broken:?}"
        );
    }
}

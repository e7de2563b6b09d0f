//! What there is to eat.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::menu_file;

/// A dish and what goes into it.
///
/// Everything that a cook must know: a cook may work in another process, which has no menu.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dish {
    /// As it stands on the menu, and in an order.
    pub name: String,
    /// In the order in which they are cooked.
    pub ingredients: Vec<String>,
}

/// The dishes that can be ordered. The default is the article's menu.
///
/// ```
/// use restaurant::menu::Menu;
///
/// let menu = Menu::default();
/// assert_eq!(menu.get("Pizza").unwrap().ingredients[0], "Flour");
/// assert_eq!(menu.nearest("piza"), "Pizza");
/// ```
#[derive(Clone, Debug)]
pub struct Menu {
    dishes: Vec<Arc<Dish>>,
    by_name: HashMap<String, Arc<Dish>>,
}

impl Menu {
    /// A menu of dishes with different names; `None` if there is no dish at all.
    pub(crate) fn new(dishes: Vec<Dish>) -> Option<Self> {
        let dishes: Vec<_> = dishes.into_iter().map(Arc::new).collect();
        let by_name = dishes
            .iter()
            .map(|dish| (dish.name.clone(), Arc::clone(dish)))
            .collect();
        (!dishes.is_empty()).then_some(Self { dishes, by_name })
    }

    /// Reads a menu in TOML, and what is wrong with single dishes of it, which are left out. `file` is
    /// what the faults call it.
    ///
    /// # Errors
    /// If no menu can be made of it: it is not TOML, or there is no good dish.
    ///
    /// ```
    /// use restaurant::menu::Menu;
    ///
    /// let text = r#"
    /// Soup = ["Water", "Salt"]
    /// Air = []
    /// "#;
    /// let (menu, faults) = Menu::from_toml(text, "menu.toml")?;
    /// assert_eq!(menu.dishes().len(), 1);
    /// assert_eq!(faults[0].to_string(), r#"menu.toml:3: the dish "Air" has no ingredients"#);
    /// # Ok::<(), restaurant::fault::Fault>(())
    /// ```
    pub fn from_toml(text: &str, file: &str) -> Result<(Self, Vec<Fault>), Fault> {
        menu_file::parse(text, file)
    }

    /// All dishes, at least one, in the order of the menu.
    #[must_use]
    pub fn dishes(&self) -> &[Arc<Dish>] {
        &self.dishes
    }

    /// The dish of exactly this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Dish>> {
        self.by_name.get(name)
    }

    /// The name on the menu that `name` was most likely meant to be.
    #[must_use]
    pub fn nearest(&self, name: &str) -> &str {
        let wanted = name.to_lowercase();
        let distance =
            |dish: &&Arc<Dish>| strsim::damerau_levenshtein(&wanted, &dish.name.to_lowercase());
        let nearest = self.dishes.iter().min_by_key(distance);
        &nearest.expect("a menu has at least one dish").name
    }
}

impl Default for Menu {
    fn default() -> Self {
        let dishes = ARTICLE.iter().map(|(name, ingredients)| Dish {
            name: (*name).to_owned(),
            ingredients: ingredients.iter().map(ToString::to_string).collect(),
        });
        Self::new(dishes.collect()).expect("the article has five dishes")
    }
}

const ARTICLE: [(&str, &[&str]); 5] = [
    (
        "Pizza",
        &[
            "Flour",
            "Yeast",
            "Tomato Sauce",
            "Mozzarella Cheese",
            "Pepperoni",
        ],
    ),
    (
        "Spaghetti",
        &["Pasta", "Ground Beef", "Tomato Sauce", "Onion", "Garlic"],
    ),
    (
        "Chicken Stir Fry",
        &[
            "Chicken",
            "Broccoli",
            "Peppers",
            "Soy Sauce",
            "Ginger",
            "Rice",
        ],
    ),
    (
        "Chicken Biryani",
        &["Chicken", "Onion", "Garlic", "Rice", "Yogurt", "Spices"],
    ),
    (
        "Salad",
        &[
            "Mixed Greens",
            "Tomatoes",
            "Cucumbers",
            "Carrots",
            "Dressing",
        ],
    ),
];

//! All that a run found out, as it is kept.

use serde::{Deserialize, Serialize};

use crate::figures::Figures;
use crate::machine::Machine;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) groups: Vec<GroupFigures>,
}

/// A heading of the page, with its cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupFigures {
    pub(crate) title: String,
    pub(crate) cases: Vec<Figures>,
}

impl Report {
    pub(crate) fn cases(&self) -> impl Iterator<Item = &Figures> {
        self.groups.iter().flat_map(|group| &group.cases)
    }

    pub(crate) fn case(&self, name: &str) -> Option<&Figures> {
        self.cases().find(|case| case.name == name)
    }

    /// Who is missing from which case, and why.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (&Figures, &str)> {
        self.cases()
            .flat_map(|case| case.missing.iter().map(move |who| (case, who.as_str())))
    }

    /// A line for each round, so that two runs can be compared as texts.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

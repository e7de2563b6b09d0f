//! `name:option=value,option=value`, taken apart.

use super::registry;
use crate::error::BackendError;

/// A backend's name and its options, as they were written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spec<'t> {
    name: &'t str,
    options: Vec<(&'t str, &'t str)>,
}

impl<'t> Spec<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, BackendError> {
        let (name, rest) = match text.split_once(':') {
            Some((name, rest)) => (name.trim(), Some(rest)),
            None => (text.trim(), None),
        };
        let mut options: Vec<(&str, &str)> = Vec::new();
        for part in rest.into_iter().flat_map(|rest| rest.split(',')) {
            let Some((option, value)) = part.split_once('=') else {
                return Err(BackendError::new(format!(
                    "{part:?} in {text:?} is no option of a backend: write name:option=value,option=value, \
                     as in processes:timeout=5s,retries=1"
                )));
            };
            let (option, value) = (option.trim(), value.trim());
            if options.iter().any(|(known, _)| *known == option) {
                return Err(BackendError::new(format!(
                    "the option {option:?} is there twice in {text:?}: leave one"
                )));
            }
            options.push((option, value));
        }
        Ok(Self { name, options })
    }

    pub(super) fn name(&self) -> &'t str {
        self.name
    }

    pub(super) fn options(&self) -> impl Iterator<Item = (&'t str, &'t str)> + '_ {
        self.options.iter().copied()
    }

    /// Makes a backend that has no options.
    pub(super) fn without_options<B>(&self, make: impl FnOnce() -> B) -> Result<B, BackendError> {
        match self.options.first() {
            None => Ok(make()),
            Some((option, _)) => Err(BackendError::new(format!(
                "the backend {} has no option {option:?}: it has none at all",
                self.name
            ))),
        }
    }

    /// There is no backend of this name.
    pub(super) fn unknown(&self) -> BackendError {
        let mut known = String::from(
            "sequential, threads (or threading), processes (or loky, multiprocessing), dask, dask=ADDRESS, ray, ray=ADDRESS",
        );
        if !cfg!(target_os = "linux") {
            known.push_str(" on Linux");
        }
        for registered in registry::names() {
            known.push_str(", ");
            known.push_str(&registered);
        }
        BackendError::new(format!(
            "no backend is called {:?}: there are {known}; others can be registered with \
             `parallel::register_backend`, in a worker process by its initializer",
            self.name
        ))
    }
}

/// Whether a backend of this library is called so, or none could be.
pub(super) fn taken_or_unfit(name: &str) -> Option<&'static str> {
    match name {
        "sequential" | "threads" | "threading" | "processes" | "loky" | "multiprocessing"
        | "dask" | "ray" => Some("which is one of this library's own"),
        "" => Some("which is empty"),
        _ if name.contains([':', ',', '=']) || name.contains(char::is_whitespace) => {
            Some("which has a colon, a comma, an equals sign or a space in it")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_options() {
        let spec = Spec::parse(" processes : timeout = 5s, env.A=b=c:d ").unwrap();
        assert_eq!(spec.name, "processes");
        assert_eq!(spec.options, [("timeout", "5s"), ("env.A", "b=c:d")]);
        assert_eq!(Spec::parse("threads").unwrap().options, []);
    }

    #[test]
    fn what_is_no_option_is_refused() {
        for text in [
            "threads:",
            "processes:timeout",
            "processes:retries=1,",
            "processes:a=1,a=2",
        ] {
            assert!(Spec::parse(text).is_err(), "{text}");
        }
    }
}

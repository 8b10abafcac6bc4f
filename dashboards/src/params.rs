//! The query string of a request, parameter by parameter. What nobody took is an error.

use std::str::FromStr;

/// Longest query string, bytes.
const MAX_QUERY_BYTES: usize = 32 * 1024;

/// Most parameters in one query string; also bounds the size of the database query.
const MAX_PARAMS: usize = 256;

/// A query parameter that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// The parameter as the client wrote it.
    pub field: String,
    /// What is wrong with it: one sentence for people.
    pub message: String,
}

impl Invalid {
    /// An error about `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }

    /// Sending the same request again cannot help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        false
    }
}

/// The parameters nobody has taken yet, in the order of the query string, and whose data they are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    project: i32,
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Splits and decodes a query string about the data of `project`.
    ///
    /// # Errors
    /// When it is longer than 32 KiB or has more than 256 parameters.
    pub fn parse(query: &str, project: i32) -> Result<Self, Invalid> {
        if query.len() > MAX_QUERY_BYTES {
            return Err(Invalid::new(
                "",
                format!("The query string is longer than {MAX_QUERY_BYTES} bytes."),
            ));
        }
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .take(MAX_PARAMS + 1)
            .collect();
        if pairs.len() > MAX_PARAMS {
            return Err(Invalid::new(
                "",
                format!("There are more than {MAX_PARAMS} parameters."),
            ));
        }
        Ok(Self { project, pairs })
    }

    /// Whose data it is about. It follows from who asks, never from what is asked.
    #[must_use]
    pub const fn project(&self) -> i32 {
        self.project
    }

    /// Takes a parameter that may be given once. An empty value is as good as none.
    ///
    /// # Errors
    /// When it is given twice.
    pub fn take(&mut self, name: &str) -> Result<Option<String>, Invalid> {
        let mut values: Vec<String> = Vec::new();
        self.take_all(|key, value| {
            if key == name {
                values.push(value.to_owned());
            }
            key == name
        });
        if values.len() > 1 {
            return Err(Invalid::new(name, "It is given more than once."));
        }
        Ok(values.pop().filter(|value| !value.is_empty()))
    }

    /// Takes a whole number between two bounds, both included.
    ///
    /// # Errors
    /// When it is no number or out of bounds.
    pub fn number(
        &mut self,
        name: &str,
        default: usize,
        bounds: (usize, usize),
    ) -> Result<usize, Invalid> {
        let Some(text) = self.take(name)? else {
            return Ok(default);
        };
        let (least, most) = bounds;
        match usize::from_str(&text) {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(Invalid::new(
                name,
                format!("It must be a whole number from {least} to {most}."),
            )),
        }
    }

    /// Takes one of a few words.
    ///
    /// # Errors
    /// When it is another word.
    pub fn choice<T: Copy>(
        &mut self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, Invalid> {
        let Some(text) = self.take(name)? else {
            return Ok(None);
        };
        let found = choices.iter().find(|(word, _)| *word == text);
        found.map(|(_, choice)| Some(*choice)).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            Invalid::new(name, format!("It must be one of {}.", words.join(", ")))
        })
    }

    /// Takes every parameter that `wanted` accepts.
    pub fn take_all(&mut self, mut wanted: impl FnMut(&str, &str) -> bool) {
        self.pairs.retain(|(key, value)| !wanted(key, value));
    }

    /// Takes out the parameters whose name starts with `prefix`, without it.
    #[must_use]
    pub fn split_prefix(&mut self, prefix: &str) -> Self {
        let mut pairs = Vec::new();
        self.take_all(|key, value| match key.strip_prefix(prefix) {
            Some(rest) => {
                pairs.push((rest.to_owned(), value.to_owned()));
                true
            }
            None => false,
        });
        Self {
            project: self.project,
            pairs,
        }
    }

    /// True when nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Names the first parameter that nobody took.
    pub fn finish(self) -> Result<(), Invalid> {
        match self.pairs.into_iter().next() {
            None => Ok(()),
            Some((key, _)) => Err(Invalid::new(key, "There is no such parameter here.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_each_parameter_once() {
        let mut params = Params::parse("limit=7&by=model&limit%20=1", 1).unwrap();
        assert_eq!(params.number("limit", 100, (1, 1000)), Ok(7));
        assert_eq!(params.number("limit", 100, (1, 1000)), Ok(100));
        assert_eq!(
            params.choice("by", &[("user", 1), ("model", 2)]),
            Ok(Some(2))
        );
        assert_eq!(params.finish().unwrap_err().field, "limit ");
    }

    #[test]
    fn refuses_what_is_out_of_bounds() {
        for query in [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=many",
            "limit=1&limit=1",
        ] {
            let invalid = Params::parse(query, 1)
                .unwrap()
                .number("limit", 100, (1, 1000))
                .unwrap_err();
            assert_eq!(invalid.field, "limit", "{query}");
        }
        let words = Params::parse("by=x", 1)
            .unwrap()
            .choice("by", &[("user", 1), ("model", 2)])
            .unwrap_err();
        assert_eq!(words.message, "It must be one of user, model.");
        assert!(Params::parse(&"a=1&".repeat(MAX_PARAMS + 1), 1).is_err());
        assert!(Params::parse(&"a".repeat(MAX_QUERY_BYTES + 1), 1).is_err());
    }

    #[test]
    fn splits_a_prefix() {
        let mut params = Params::parse("base.model=a&model=b&base_from=1", 1).unwrap();
        let mut base = params.split_prefix("base.");
        assert_eq!(base.take("model"), Ok(Some("a".into())));
        assert!(base.is_empty());
        assert_eq!(params.take("model"), Ok(Some("b".into())));
    }
}

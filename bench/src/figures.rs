//! Named figures, printed and written down.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// Figures by subject and name, in the order they were measured.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<(String, &'static str, f64)>);

impl Figures {
    /// Notes one figure; its unit is part of the name. It is shown at once, so that a run that is cut short was not in vain.
    #[expect(
        clippy::print_stderr,
        reason = "progress, beside the figures at the end"
    )]
    pub(crate) fn add(&mut self, subject: &str, name: &'static str, value: f64) {
        eprintln!("{subject}: {name} {value:.3}");
        self.0.push((subject.to_owned(), name, value));
    }

    fn get(&self, subject: &str, name: &str) -> Option<f64> {
        self.0
            .iter()
            .find(|figure| figure.0 == subject && figure.1 == name)
            .map(|figure| figure.2)
    }

    /// Notes the ratio of two figures of one subject.
    pub(crate) fn ratio(&mut self, subject: &str, of: &str, to: &str, name: &'static str) {
        if let (Some(of), Some(to)) = (self.get(subject, of), self.get(subject, to)) {
            self.add(subject, name, of / to);
        }
    }

    #[expect(
        clippy::print_stdout,
        reason = "the figures are what this program is for"
    )]
    pub(crate) fn print(&self) {
        let mut shown = "";
        for (subject, name, value) in &self.0 {
            if subject != shown {
                println!("\n{subject}");
                shown = subject;
            }
            let digits = if value.abs() < 100.0 { 3 } else { 0 };
            println!("  {name:<40} {value:>14.digits$}");
        }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut subjects = Map::new();
        for (subject, name, value) in &self.0 {
            let figures = subjects.entry(subject.clone()).or_insert_with(|| json!({}));
            if let Value::Object(figures) = figures {
                figures.insert((*name).to_owned(), json!(value));
            }
        }
        let text =
            serde_json::to_string_pretty(&Value::Object(subjects)).expect("text and numbers");
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

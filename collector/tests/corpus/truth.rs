//! What was recorded, and what the providers answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use costflame_pricing::{Counter, TokenClass, Usage, Usd};
use serde::Deserialize;

/// One folder of the corpus.
pub(crate) struct Scenario {
    /// `library/scenario`.
    pub(crate) name: String,
    pub(crate) library: String,
    /// The package that emitted, with its version.
    pub(crate) version: String,
    pub(crate) folder: PathBuf,
    pub(crate) truth: Truth,
}

#[derive(Deserialize)]
pub(crate) struct Truth {
    packages: BTreeMap<String, String>,
    pub(crate) calls: Vec<TrueCall>,
}

#[derive(Deserialize)]
pub(crate) struct TrueCall {
    pub(crate) response_id: Option<String>,
    tokens: Option<BTreeMap<String, u64>>,
    pub(crate) expected: Expected,
}

#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) cost: Option<String>,
    pub(crate) cost_wire: Option<String>,
}

impl Scenario {
    /// Every scenario, by name.
    pub(crate) fn all() -> Vec<Self> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
        let libraries = fs::read_to_string(corpus.join("libraries.txt")).unwrap();
        let mut all = Vec::new();
        for line in libraries.lines() {
            let (library, package) = line.split_once(' ').unwrap();
            for folder in list(&corpus.join(library)) {
                let text = fs::read_to_string(folder.join("truth.json")).unwrap();
                let truth: Truth = serde_json::from_str(&text).unwrap();
                let scenario = folder.file_name().unwrap().to_string_lossy();
                let number = truth.packages.get(package).map_or("", String::as_str);
                all.push(Self {
                    name: format!("{library}/{scenario}"),
                    library: library.to_owned(),
                    version: format!("{package} {number}"),
                    folder,
                    truth,
                });
            }
        }
        let folders = list(&corpus).into_iter().filter(|path| path.is_dir());
        assert_eq!(
            folders.count(),
            libraries.lines().count(),
            "libraries.txt names every library"
        );
        all
    }

    /// The request bodies of a signal, in order of arrival.
    pub(crate) fn bodies(&self, signal: &str) -> Vec<PathBuf> {
        let marker = format!(".{signal}.");
        let is_one = |path: &PathBuf| path.to_string_lossy().contains(&marker);
        list(&self.folder).into_iter().filter(is_one).collect()
    }

    /// The calls that were billed.
    pub(crate) fn billed(&self) -> Vec<&TrueCall> {
        let billed = |call: &&TrueCall| call.tokens.is_some();
        self.truth.calls.iter().filter(billed).collect()
    }
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

impl TrueCall {
    /// What was billed, in normal form.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for (name, count) in self.tokens.iter().flatten() {
            let named = |class: &TokenClass| class.name() == name;
            if let Some(class) = TokenClass::ALL.into_iter().find(named) {
                usage.set(class, *count);
                continue;
            }
            let counter = Counter::ALL
                .into_iter()
                .find(|counter| counter.name() == name);
            let counter = counter.unwrap_or_else(|| panic!("unknown class {name} in truth.json"));
            usage.counters[counter as usize] = *count;
        }
        usage
    }

    /// The costs that are right: all that was billed, or what the wire carries of it.
    pub(crate) fn costs(&self) -> [Option<Usd>; 2] {
        [&self.expected.cost, &self.expected.cost_wire]
            .map(|cost| cost.as_deref().and_then(Usd::parse_decimal))
    }

    /// True when input and output were sent, each by itself or together with its parts.
    pub(crate) fn was_sent(&self, numbers: &BTreeSet<u64>) -> bool {
        let usage = self.usage();
        let parts = [
            (usage.total_input(), TokenClass::Input),
            (usage.total_output(), TokenClass::Output),
        ];
        let is_any = parts.iter().any(|(total, _)| *total > 0);
        is_any
            && parts.iter().all(|(total, class)| {
                *total == 0 || numbers.contains(total) || numbers.contains(&usage.get(*class))
            })
    }
}

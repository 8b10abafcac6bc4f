//! Without features the crate brings `opentelemetry`, and nothing that does not come with it.

use std::{collections::BTreeSet, process::Command};

/// The crates that a package needs to be built, itself left out.
fn tree(package: &str, features: &[&str]) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}", "--offline"])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let text = String::from_utf8(tree.stdout).expect("UTF-8");
    assert!(tree.status.success(), "{text}");
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names
        .filter(|name| *name != package)
        .map(str::to_owned)
        .collect()
}

#[test]
fn without_features_there_is_the_opentelemetry_api_alone() {
    let ours = tree("costflame-instrumentation", &["--no-default-features"]);
    let mut apis = tree("opentelemetry", &[]);
    apis.insert("opentelemetry".to_owned());
    let more: Vec<_> = ours.difference(&apis).collect();
    assert!(more.is_empty(), "{more:?}");
    assert!(!ours.contains("opentelemetry_sdk"));
}

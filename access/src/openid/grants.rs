//! What people may do by what their provider says of them.

use costflame_store::Role;
use serde_json::Value;

/// A role for those of whom the claim says `value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// A group, an address, a name.
    pub value: String,
    /// What they may do.
    pub role: Role,
    /// In which project; `None` = in all.
    pub project: Option<i32>,
}

/// Somebody whom the provider knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What they are called here.
    pub name: String,
    /// What the provider knows them by: it never gives it to another, as it may a name.
    pub subject: String,
    /// What the claim says of them.
    pub values: Vec<String>,
}

/// What somebody may be called by, the best first.
const NAMES: [&str; 2] = ["preferred_username", "email"];

/// Longest name, characters.
const LONGEST_NAME: usize = 64;

/// Longest subject, by the standard.
const LONGEST_SUBJECT: usize = 255;

/// Whether claims name somebody and say what roles go by.
pub(super) fn says_enough(claims: &Value, claim: &str) -> bool {
    let is_named = NAMES.iter().any(|name| claims.get(name).is_some());
    is_named && find(claims, claim).is_some()
}

impl Person {
    /// Takes what is needed from verified claims; the subject if they have no better name.
    pub(super) fn of(claims: &Value, claim: &str) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let subject = text("sub").unwrap_or_default();
        let name = NAMES.into_iter().find_map(text).unwrap_or(subject);
        Self {
            name: plain(name, LONGEST_NAME),
            subject: plain(subject, LONGEST_SUBJECT),
            values: values(claims, claim),
        }
    }

    /// For the audit log.
    pub(super) fn in_full(&self) -> String {
        if self.name == self.subject {
            return self.name.clone();
        }
        format!("{} ({})", self.name, self.subject)
    }
}

fn plain(text: &str, longest: usize) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(longest).collect()
}

/// A claim by its name, or by the names on the way to it with dots between them: `realm_access.roles`.
fn find<'a>(claims: &'a Value, claim: &str) -> Option<&'a Value> {
    let nested = || claim.split('.').try_fold(claims, |at, name| at.get(name));
    claims.get(claim).or_else(nested)
}

/// A text, or a list of them. An address that nobody has verified is anybody's.
fn values(claims: &Value, claim: &str) -> Vec<String> {
    if claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    match find(claims, claim) {
        Some(Value::String(value)) => vec![value.clone()],
        Some(Value::Array(values)) => {
            let values = values.iter().filter_map(Value::as_str);
            values.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

impl Grant {
    /// Whether it is for somebody.
    pub(super) fn fits(&self, person: &Person) -> bool {
        person.values.contains(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grant(value: &str) -> Grant {
        Grant {
            value: value.to_owned(),
            role: Role::Viewer,
            project: None,
        }
    }

    #[test]
    fn a_claim_is_a_text_or_a_list() {
        let claims = json!({"sub": "1", "preferred_username": "alice\n", "groups": ["a", 7, "b"]});
        let alice = Person::of(&claims, "groups");
        assert_eq!(alice.in_full(), "alice (1)");
        assert_eq!(alice.values, ["a", "b"]);
        assert!(grant("b").fits(&alice));
        assert!(!grant("B").fits(&alice));
        assert!(!grant("").fits(&alice));

        let said = |claims: Value, claim: &str| Person::of(&claims, claim).values;
        assert_eq!(said(json!({"sub": "1", "dept": "x"}), "dept"), ["x"]);
        let nested = json!({"realm_access": {"roles": ["r"]}, "https://x.example/roles": ["s"]});
        assert_eq!(said(nested.clone(), "realm_access.roles"), ["r"]);
        assert_eq!(said(nested, "https://x.example/roles"), ["s"]);
        for nothing in [json!({}), json!({"groups": 7}), json!({"groups": {"a": 1}})] {
            assert!(said(nothing, "groups").is_empty());
        }
        assert_eq!(Person::of(&json!({"sub": "1"}), "groups").in_full(), "1");
    }

    #[test]
    fn more_is_asked_for_where_something_is_missing() {
        let named = json!({"email": "a@x", "groups": []});
        assert!(says_enough(&named, "groups"));
        assert!(!says_enough(&named, "roles"));
        assert!(!says_enough(&json!({"sub": "1", "groups": []}), "groups"));
    }

    #[test]
    fn an_address_counts_once_it_is_verified() {
        let mail = |verified: Value| {
            let claims = json!({"sub": "1", "email": "a@x", "email_verified": verified});
            Person::of(&claims, "email").values
        };
        assert_eq!(mail(json!(true)), ["a@x"]);
        for not in [json!(false), json!("true"), Value::Null] {
            assert!(mail(not).is_empty());
        }
    }
}

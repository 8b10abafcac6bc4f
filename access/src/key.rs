//! API keys as text: `cf_SCOPE_ID_SECRET`.
//!
//! The id finds the stored row and may be shown. The secret is 256 random bits, so a fast hash is enough: there is
//! nothing to guess that a slow one would protect.

use blake3::Hash;
use costflame_store::{ApiKey, KeyScope};

use crate::secret::{is_hex, random_hex};

/// Bytes of the id.
const ID: usize = 8;
/// Bytes of the secret.
const SECRET: usize = 32;

/// A new key: its text, which is shown once, and what is stored.
#[must_use]
pub fn create(project: i32, scope: KeyScope, label: &str, now_us: i64) -> (String, ApiKey) {
    let id = random_hex::<ID>();
    let secret = random_hex::<SECRET>();
    let text = format!("cf_{}_{id}_{secret}", scope.name());
    let row = ApiKey {
        id,
        project,
        scope,
        hash: *blake3::hash(text.as_bytes()).as_bytes(),
        label: label.to_owned(),
        created_us: now_us,
        used_us: None,
        revoked_us: None,
    };
    (text, row)
}

/// A key that somebody shows.
#[derive(Clone, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) id: &'a str,
    hash: Hash,
}

impl<'a> Shown<'a> {
    /// Takes a text apart; `None` if it cannot be a key.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("cf_")?.split('_');
        let (scope, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = parts.next().is_none()
            && KeyScope::from_name(scope).is_some()
            && is_hex(id, ID)
            && is_hex(secret, SECRET);
        is_whole.then(|| Self {
            id,
            hash: blake3::hash(text.as_bytes()),
        })
    }

    /// Compares in constant time.
    pub(crate) fn is(&self, stored: &[u8; 32]) -> bool {
        self.hash == *stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_itself_and_nothing_else() {
        let (text, row) = create(7, KeyScope::Ingest, "ci", 3);
        assert!(
            text.starts_with(&format!("cf_ingest_{}_", row.id)),
            "{text}"
        );
        assert!(!text.contains(&format!("{:?}", row.hash)));
        let shown = Shown::read(&text).expect("a key");
        assert_eq!(shown.id, row.id);
        assert!(shown.is(&row.hash));

        let (other, _) = create(7, KeyScope::Ingest, "ci", 3);
        assert_ne!(text, other);
        assert!(!Shown::read(&other).expect("a key").is(&row.hash));
        // Every part belongs to the hash.
        let promoted = text.replace("cf_ingest_", "cf_read_");
        assert!(!Shown::read(&promoted).expect("a key").is(&row.hash));
    }

    #[test]
    fn what_is_cut_or_bent_is_no_key() {
        let (text, _) = create(1, KeyScope::Read, "", 0);
        for end in 0..text.len() {
            assert!(Shown::read(&text[..end]).is_none(), "{end}");
        }
        let bent = [
            text.to_uppercase(),
            format!("{text}0"),
            format!("{text}_"),
            format!(" {text}"),
            text.replace("cf_", "fc_"),
            text.replace("read", "admin"),
            text.replace('_', "-"),
        ];
        for bent in bent {
            assert!(Shown::read(&bent).is_none(), "{bent}");
        }
    }
}

//! Passwords: hashed by argon2id, checked with the same work whether there is such a user or not.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::secret::random_hex;

/// Fewest characters of a password. Length is all that is asked of it.
pub const SHORTEST: usize = 12;

/// Most bytes of a password.
pub const LONGEST: usize = 256;

/// What [`is_user_name`] asks for.
pub const USER_NAMES: &str = "expected 1 to 64 letters, digits, `-`, `_`, `.`, `@` or `+`";

/// Whether a text may be the name of a user.
#[must_use]
pub fn is_user_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+');
    !text.is_empty() && text.len() <= 64 && text.chars().all(is_plain)
}

/// Passwords that are computed at the same time: each takes 19 MiB and a good part of a processor.
const AT_ONCE: usize = 2;

/// How long somebody waits for their turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// A password that is none. Another one will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// It can be guessed.
    #[error("the password must have at least {SHORTEST} characters")]
    Short,
    /// It is longer than anybody types.
    #[error("the password must have at most {LONGEST} bytes")]
    Long,
}

/// Too many passwords are being checked. May be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at the moment")]
pub struct Busy;

/// Computes passwords, a few at a time.
#[derive(Debug)]
pub struct Passwords {
    /// What the password of nobody is checked against: it takes as long.
    decoy: String,
    turns: Semaphore,
    checked: AtomicU64,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            decoy: hash(&random_hex::<32>()),
            turns: Semaphore::new(AT_ONCE),
            checked: AtomicU64::new(0),
        }
    }
}

/// Hashes a new password for the database. Takes some tens of milliseconds.
///
/// # Errors
/// When it is too short or too long.
pub fn new_hash(password: &str) -> Result<String, WeakPassword> {
    if password.chars().count() < SHORTEST {
        return Err(WeakPassword::Short);
    }
    if password.len() > LONGEST {
        return Err(WeakPassword::Long);
    }
    Ok(hash(password))
}

/// By the parameters that OWASP recommends: 19 MiB, two passes.
fn hash(password: &str) -> String {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.expect("the system gives random bytes").to_string()
}

fn verify(stored: &str, given: &str) -> bool {
    PasswordHash::new(stored).is_ok_and(|stored| {
        Argon2::default()
            .verify_password(given.as_bytes(), &stored)
            .is_ok()
    })
}

impl Passwords {
    /// Hashes a new password in its turn.
    ///
    /// # Errors
    /// When no turn comes; inside, when the password is none.
    pub async fn hash(&self, password: String) -> Result<Result<String, WeakPassword>, Busy> {
        let _turn = self.turn().await?;
        let hashed = spawn_blocking(move || new_hash(&password)).await;
        Ok(hashed.expect("hashing does not panic"))
    }

    /// Whether a password is the stored one; where there is none it is not, after the same work.
    ///
    /// # Errors
    /// When no turn comes.
    pub async fn is(&self, stored: Option<String>, given: String) -> Result<bool, Busy> {
        let _turn = self.turn().await?;
        let is_known = stored.is_some();
        let against = stored.unwrap_or_else(|| self.decoy.clone());
        self.checked.fetch_add(1, Ordering::Relaxed);
        // What is longer than any password is cut: it is wrong, and costs no more.
        let is_whole = given.len() <= LONGEST;
        let given = if is_whole { given } else { String::new() };
        let matches = spawn_blocking(move || verify(&against, &given)).await;
        Ok(matches.expect("checking does not panic") && is_whole && is_known)
    }

    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Busy> {
        let turn = timeout(PATIENCE, self.turns.acquire()).await;
        Ok(turn.map_err(|_| Busy)?.expect("never closed"))
    }

    /// How many were checked, right or wrong, of somebody or nobody.
    #[must_use]
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_costs_as_much_as_somebody() {
        let passwords = Passwords::default();
        let stored = new_hash("correct horse").expect("long enough");
        let is = async |stored: Option<&String>, given: &str| {
            let before = passwords.checked();
            let is = passwords.is(stored.cloned(), given.to_owned()).await;
            assert_eq!(passwords.checked(), before + 1, "one hash, whoever it is");
            is.expect("a turn")
        };
        assert!(is(Some(&stored), "correct horse").await);
        assert!(!is(Some(&stored), "correct hors").await);
        assert!(!is(Some(&stored), "").await);
        assert!(!is(None, "correct horse").await);
        assert!(!is(Some(&"not a hash".to_owned()), "x").await);
        let long = "x".repeat(LONGEST + 1);
        assert!(!is(Some(&hash("")), &long).await);

        // The decoy is hashed as passwords are.
        let parameters = |hash: &str| {
            let (head, _) = hash.rsplit_once('$').expect("a hash");
            head.rsplit_once('$').expect("a salt").0.to_owned()
        };
        assert_eq!(parameters(&passwords.decoy), parameters(&stored));
        assert_eq!(parameters(&stored), "$argon2id$v=19$m=19456,t=2,p=1");
    }

    #[test]
    fn only_length_is_asked_of_a_password() {
        assert_eq!(new_hash("short"), Err(WeakPassword::Short));
        assert_eq!(new_hash(&"x".repeat(257)), Err(WeakPassword::Long));
        assert_eq!(
            new_hash("äöüäöüäöüäö"),
            Err(WeakPassword::Short),
            "characters"
        );
        let (one, two) = (new_hash("äöüäöüäöüäöü"), new_hash("äöüäöüäöüäöü"));
        assert_ne!(one.expect("a hash"), two.expect("a hash"), "salted");
    }
}

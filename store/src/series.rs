//! Low-cardinality attribution of a call, content addressed.

use std::fmt;

use costflame_profile::Text;

use crate::CallRow;

/// BLAKE3-128 of (version, project, provider, model, service, environment, feature, agent, operation).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub [u8; 16]);

impl SeriesId {
    /// Version of the hash's input; a change of it makes all series new ones.
    pub const VERSION: u8 = 1;
}

impl fmt::Debug for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The values of a series. Absent is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesRow {
    /// Provider, model, service, environment, feature, agent, operation.
    pub values: [Option<Text>; 7],
}

impl SeriesRow {
    /// The series of a call. A service without a name is an absent one.
    #[must_use]
    pub fn of(call: &CallRow) -> Self {
        let attribution = &call.attribution;
        Self {
            values: [
                call.call.provider.clone(),
                call.call.model().cloned(),
                (!call.service.is_empty()).then(|| call.service.clone()),
                attribution.environment.clone(),
                attribution.feature.clone(),
                attribution.agent.clone(),
                call.call.operation.clone(),
            ],
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self, project: i32) -> SeriesId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[SeriesId::VERSION]);
        hasher.update(&project.to_le_bytes());
        for value in &self.values {
            let Some(text) = value else {
                hasher.update(&[0]);
                continue;
            };
            hasher.update(&[1]);
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        SeriesId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_not_empty() {
        let mut row = SeriesRow::default();
        let absent = row.id(1);
        row.values[0] = Some("".into());
        assert_ne!(row.id(1), absent);
        assert_ne!(SeriesRow::default().id(2), absent);
    }
}

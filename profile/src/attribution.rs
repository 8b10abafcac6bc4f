//! Who and what a call is attributed to.

use serde::{Deserialize, Serialize};

use crate::Text;

/// Attribution values found on one span and its resource, or inherited by a call. Absent is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attribution {
    /// `deployment.environment.name`.
    pub environment: Option<Text>,
    /// `costflame.feature`.
    pub feature: Option<Text>,
    /// `user.id`.
    pub user: Option<Text>,
    /// `session.id`, `gen_ai.conversation.id`.
    pub session: Option<Text>,
    /// `gen_ai.agent.name`.
    pub agent: Option<Text>,
    /// `gen_ai.tool.name`.
    pub tool: Option<Text>,
    /// `gen_ai.prompt.name`.
    pub prompt: Option<Text>,
    /// `gen_ai.prompt.version`.
    pub prompt_version: Option<Text>,
    /// `costflame.tag.KEY` and the libraries' own tags, sorted by key, keys unique.
    pub tags: Vec<(Text, Text)>,
}

impl Attribution {
    /// True when nothing is attributed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This span's values over those of its ancestors: the nearest wins, key by key.
    #[must_use]
    pub fn or(&self, ancestor: &Self) -> Self {
        let pick = |near: &Option<Text>, far: &Option<Text>| near.clone().or_else(|| far.clone());
        let mut tags = self.tags.clone();
        for (key, value) in &ancestor.tags {
            if let Err(place) = tags.binary_search_by(|(known, _)| known.cmp(key)) {
                tags.insert(place, (key.clone(), value.clone()));
            }
        }
        Self {
            environment: pick(&self.environment, &ancestor.environment),
            feature: pick(&self.feature, &ancestor.feature),
            user: pick(&self.user, &ancestor.user),
            session: pick(&self.session, &ancestor.session),
            agent: pick(&self.agent, &ancestor.agent),
            tool: pick(&self.tool, &ancestor.tool),
            prompt: pick(&self.prompt, &ancestor.prompt),
            prompt_version: pick(&self.prompt_version, &ancestor.prompt_version),
            tags,
        }
    }
}

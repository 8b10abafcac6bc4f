//! Who and what a call is attributed to.

use std::sync::Arc;

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
    /// Most tags a call may have, inherited ones included.
    pub const MAX_TAGS: usize = 128;

    /// True when nothing is attributed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This span's values over those of its ancestors: the nearest wins, key by key.
    ///
    /// At most [`Self::MAX_TAGS`] tags are taken over: all of this span's own, then the ancestors' in order of their keys.
    #[must_use]
    pub fn or(&self, ancestor: &Self) -> Self {
        let pick = |near: &Option<Text>, far: &Option<Text>| near.clone().or_else(|| far.clone());
        Self {
            environment: pick(&self.environment, &ancestor.environment),
            feature: pick(&self.feature, &ancestor.feature),
            user: pick(&self.user, &ancestor.user),
            session: pick(&self.session, &ancestor.session),
            agent: pick(&self.agent, &ancestor.agent),
            tool: pick(&self.tool, &ancestor.tool),
            prompt: pick(&self.prompt, &ancestor.prompt),
            prompt_version: pick(&self.prompt_version, &ancestor.prompt_version),
            tags: merged(&self.tags, &ancestor.tags),
        }
    }

    /// [`Self::or`] without a copy where one side adds nothing.
    pub(crate) fn inherited(own: &Arc<Self>, ancestor: &Arc<Self>) -> Arc<Self> {
        if Arc::ptr_eq(own, ancestor) || ancestor.is_empty() {
            return Arc::clone(own);
        }
        if own.is_empty() || own == ancestor {
            return Arc::clone(ancestor);
        }
        Arc::new(own.or(ancestor))
    }
}

fn merged(near: &[(Text, Text)], far: &[(Text, Text)]) -> Vec<(Text, Text)> {
    let room = Attribution::MAX_TAGS.saturating_sub(near.len());
    let new: Vec<_> = far
        .iter()
        .filter(|(key, _)| find(near, key).is_err())
        .take(room)
        .collect();
    let mut tags = Vec::with_capacity(near.len() + new.len());
    let mut near = near.iter().peekable();
    for tag in new {
        while let Some(own) = near.next_if(|own| own.0 < tag.0) {
            tags.push(own.clone());
        }
        tags.push(tag.clone());
    }
    tags.extend(near.cloned());
    tags
}

fn find(tags: &[(Text, Text)], key: &Text) -> Result<usize, usize> {
    tags.binary_search_by(|(known, _)| known.cmp(key))
}

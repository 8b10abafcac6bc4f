//! Each client's calls as spans, held to what the mock provider has billed.

mod genai;
mod program;
mod rig;

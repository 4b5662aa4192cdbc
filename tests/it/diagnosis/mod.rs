//! Diagnosis: every fault of a recording is a cause or is explained by the right one, and a healthy mesh has none.

mod recordings;

//! The sequencer: the one thread that decides what enters the log, in which order, and commits it.
//!
//! The life of a submission here (`docs/ARCHITECTURE.md`): taken from the [`Intake`] -> decided by the
//! [`Law`] -> blobs durable -> planned -> **one create-only batch object** -> signed behind the guard ->
//! tiles and bundles applied -> handed to [`crate::publish`]. Recovery runs the same plan and the same
//! law over the same batch objects.
//!
//! It is generic over the law and the bytes of an entry: [`RegistryLaw`] is one law.
//!
//! Never from here: the index, HTTP, evidence. Facts come from the law alone.

mod batch;
mod law;
mod orphans;
mod plan;
mod queue;
mod reading;
mod recover;
mod refusal;
mod registry_law;
mod run;
#[cfg(test)]
mod script;
mod settle;
mod snapshot;
mod start;
#[cfg(test)]
mod tests;

pub use batch::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Batch, BatchError};
pub use law::{Kept, Law, Outcome, Piece, Rejected, Tick};
pub use orphans::Orphans;
pub use plan::{Edge, EdgeError, Plan};
pub use queue::{
    Coming, Intake, Later, NotLogged, QUESTIONS_MAX, QUEUE_BYTES_MAX, QUEUE_ENTRIES_MAX, RESERVED_BYTES_MAX,
    RESERVED_ENTRIES_MAX, Reply,
};
pub use reading::answer;
pub use refusal::RecoverError;
pub use registry_law::{Cut, CutPath, CutThread, RegistryLaw};
pub use run::{Fatal, has_room};
pub use settle::SettleError;
pub use start::{Running, Stopped, start};

//! How much of what repeats is gone through.

/// The variable by which `make nightly` asks for everything.
pub const VARIABLE: &str = "NIGHTLY";

/// Whether every case is gone through: the environment says `NIGHTLY=1`. Otherwise one case stands for those that the
/// operator cannot tell apart.
pub fn nightly() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == "1")
}

//! How much of what repeats is gone through.

/// The variable by which `make nightly` asks for everything.
pub const VARIABLE: &str = "NIGHTLY";

/// The variable by which `make nightly` lets the simulated Qlik Cloud leave out what its schemas do not require.
pub const BARE: &str = "WITHOUT_OPTIONAL_FIELDS";

/// Whether the simulated Qlik Cloud leaves out every field that its schemas do not require, in each scenario that does not
/// say otherwise.
pub fn without_optional_fields() -> bool {
    std::env::var_os(BARE).is_some_and(|value| value == "1")
}

/// Whether every case is gone through: the environment says `NIGHTLY=1`. Otherwise one case stands for those that the
/// operator cannot tell apart.
pub fn nightly() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == "1")
}

//! The operator with a clock that can be turned. The shipped binary is built from the same library without that feature.

fn main() -> std::process::ExitCode {
    qlik_operator::cli::main()
}

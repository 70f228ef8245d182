//! The `qlik-operator` program.

fn main() -> std::process::ExitCode {
    qlik_operator::cli::main()
}

//! The `weir` command with fault points, for tests that kill it; see `fault.rs`.

fn main() -> std::process::ExitCode {
    weir::cli::main()
}

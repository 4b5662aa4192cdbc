# The daily commands. `just` alone lists them.

_list:
	@just --list --unsorted

# Formatting and lints: what fails most often, first
check:
	cargo fmt --all
	cargo clippy --workspace --all-targets --locked -- -D warnings

# Tests that need nothing but this folder; with a name, those whose names contain it
test *NAME:
	cargo test --workspace {{NAME}}

# Everything, as CI runs it: installs and starts what it needs
all:
	./tests/run.sh

# Some tests with databases and API servers: just live live::restart
live *NAME:
	./tests/run.sh only --test it {{NAME}}

# The service over the recorded mesh that is built in
demo:
	cargo run --release -- serve --demo

# openapi/openapi.json anew, from the program
openapi:
	cargo run --quiet -- openapi > openapi/openapi.json

# Benchmarks with all that the compiler can do; with a name, one of benches/
bench *NAME:
	cargo bench --profile dist {{ if NAME == "" { "" } else { "--bench " + NAME } }}

# Which lines the tests reach: target/llvm-cov/html/index.html (cargo install cargo-llvm-cov)
coverage:
	cargo llvm-cov --workspace --html

# Dependencies that nothing names (cargo install cargo-shear)
unused:
	cargo shear

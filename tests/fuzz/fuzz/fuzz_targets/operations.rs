//! libFuzzer makes lists of operations up, and keeps those that reach new code of the library. `scripts/fuzz.sh
//! --libfuzzer` builds and runs it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| slubmalloc_fuzz::run_list(bytes));

//! Rules on `TrafficExtension`, which adds a Wasm module or a Lua script to the proxies.

use super::problem::Outcome;
use super::{Object, selector, wasm_plugin};

const MAX_SCRIPT: usize = 65536;

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    let spec = object.spec;
    let (wasm, lua) = (spec.message("wasm"), spec.message("lua"));
    if wasm.is_some() == lua.is_some() {
        outcome.error("exactly one of wasm or lua must be set");
    }
    selector::extension_target(&mut outcome, spec);
    if let Some(lua) = lua {
        match lua.text("inlineCode").len() {
            0 => outcome.error("lua.inlineCode cannot be empty"),
            length if length > MAX_SCRIPT => outcome.error("lua.inlineCode exceeds maximum size of 64KB"),
            _ => {}
        }
    }
    if let Some(wasm) = wasm {
        wasm_plugin::module(&mut outcome, wasm, "pluginName field must be less than 256 characters long");
    }
    outcome.check(wasm_plugin::matches(spec));
    outcome
}

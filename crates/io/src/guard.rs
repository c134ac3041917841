//! Steps of decoders that panic on some corrupt input: a panic becomes an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `step` gives, or the error that `error` makes of the panic's text.
pub(crate) fn guarded<T, E>(
    step: impl FnOnce() -> Result<T, E>,
    error: impl FnOnce(String) -> E,
) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(error(text.unwrap_or("the decoder gave up").to_string()))
    })
}

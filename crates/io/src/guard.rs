//! Steps of decoders that panic on some corrupt input: a panic becomes an error.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread, now, would be a decoder's opinion of a corrupt file: it becomes an error that names
/// the file. A panic hook that talks to people has nothing to say about it.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// What `step` gives, or the error that `error` makes of the panic's text.
pub(crate) fn guarded<T, E>(
    step: impl FnOnce() -> Result<T, E>,
    error: impl FnOnce(String) -> E,
) -> Result<T, E> {
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(step));
    GUARDED.set(outer);
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(error(text.unwrap_or("the decoder gave up").to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_only_steps_are_guarded() {
        let seen = guarded(|| Ok::<_, String>(is_guarded()), |text| text);
        assert_eq!((seen, is_guarded()), (Ok(true), false));
        let nested = guarded(
            || {
                guarded(|| Err::<(), _>(String::new()), |text| text).unwrap_err();
                Ok::<_, String>(is_guarded())
            },
            |text| text,
        );
        assert_eq!(nested, Ok(true));
        let failed = guarded(|| -> Result<(), String> { panic!("page {}", 3) }, |text| text);
        assert_eq!((failed, is_guarded()), (Err("page 3".to_string()), false));
    }
}

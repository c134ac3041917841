//! Writes the files that scripts call `$FIXTURES/..` into a folder, to look at or to try commands on:
//! `cargo run -p dframe-tests --example fixtures -- FOLDER`.

fn main() {
    let folder = std::env::args().nth(1).expect("name a folder");
    let folder = std::path::Path::new(&folder);
    std::fs::create_dir_all(folder).expect("the folder can be made");
    dframe_tests::fixtures::write_all(folder);
}

//! A thousand images made grey, made small, and saved: serially, concurrently, and in parallel.
//!
//! ```text
//!   each image:   read  -->  shrink  -->  write        read and write wait for a slow disk (I/O-bound),
//!                                                      shrink computes (CPU-bound)
//!   serial        one step after another, in a plain loop
//!   concurrent    a task graph on 1 worker: the waits overlap, one image is computed at a time
//!   parallel      the same graph on all cores: as many are computed at once
//! ```
//!
//! The disk is as slow everywhere: each read and each write waits [`DISK`]. The images are drawn first, and
//! the three results are compared, file by file.
//!
//! ```text
//! cargo run -p dframe --example images
//! ```
#![allow(clippy::print_stdout)]

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use dframe::prelude::*;
use dframe::tasks::{TaskError, TaskGraph, TaskOptions};
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, ImageReader, RgbImage};

type Outcome<T> = Result<T, TaskError>;

const IMAGES: usize = 1_000;

/// How long the disk takes for a file, to read it or to write it.
const DISK: Duration = Duration::from_millis(5);

/// Width and height of the images.
const LARGE: (u32, u32) = (320, 240);

/// Width and height of what is made of them.
const SMALL: (u32, u32) = (96, 72);

/// What an image takes while it is shrunk: its pixels as they are, grey, and small.
const PIXELS: usize = 4 * (LARGE.0 * LARGE.1) as usize + (SMALL.0 * SMALL.1) as usize;

fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let images = folder.path().join("images");
    std::fs::create_dir(&images)?;
    let all = Session::builder().memory_limit(Size::Bytes(256 << 20)).build()?;
    let one = Session::builder().memory_limit(Size::Bytes(256 << 20)).threads(1).build()?;
    draw_all(&all, &images)?;

    let way = |name: &str, shrink: &dyn Fn(&Path, &Path) -> Outcome<()>| -> Outcome<_> {
        let results = folder.path().join(name);
        std::fs::create_dir(&results)?;
        let start = Instant::now();
        shrink(&images, &results)?;
        Ok((results, start.elapsed().as_secs_f64()))
    };
    let (expected, serial) = way("serial", &shrink_serially)?;
    let (found, concurrent) = way("concurrent", &|from, to| shrink_by_tasks(&one, from, to))?;
    check(&expected, &found)?;
    let (found, parallel) = way("parallel", &|from, to| shrink_by_tasks(&all, from, to))?;
    check(&expected, &found)?;

    let threads = all.threads();
    println!("{IMAGES} images of {LARGE:?} to grey ones of {SMALL:?}, the same in three ways:");
    println!("serial      {serial:6.2} s");
    println!("concurrent  {concurrent:6.2} s  {:4.1} x  1 worker", serial / concurrent);
    println!("parallel    {parallel:6.2} s  {:4.1} x  {threads} workers", serial / parallel);
    Ok(())
}

fn shrink_serially(from: &Path, to: &Path) -> Outcome<()> {
    for number in 0..IMAGES {
        write(&file_of(to, number), &shrink(&read(&file_of(from, number))?)?)?;
    }
    Ok(())
}

fn shrink_by_tasks(session: &Session, from: &Path, to: &Path) -> Outcome<()> {
    let mut graph = TaskGraph::new();
    for number in 0..IMAGES {
        let (source, target) = (file_of(from, number), file_of(to, number));
        let large = graph.io_bound("read", (), move |(), _| read(&source));
        let shrinking = TaskOptions::cpu_bound("shrink").memory(PIXELS);
        let small = graph.add(shrinking, large, |large, _| shrink(&large));
        graph.io_bound("write", small, move |small, _| write(&target, &small));
    }
    session.run_tasks(graph)?.wait()?.into_complete()?;
    Ok(())
}

fn file_of(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("{number:04}.png"))
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    sleep(DISK);
    Ok(std::fs::read(path)?)
}

fn write(path: &Path, bytes: &[u8]) -> Outcome<()> {
    sleep(DISK);
    Ok(std::fs::write(path, bytes)?)
}

/// A PNG file, grey and small, as a PNG file.
fn shrink(large: &[u8]) -> Outcome<Vec<u8>> {
    let image = ImageReader::with_format(Cursor::new(large), ImageFormat::Png).decode()?;
    let small = image.grayscale().resize_exact(SMALL.0, SMALL.1, FilterType::Triangle);
    encode(&small)
}

fn encode(image: &DynamicImage) -> Outcome<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

/// Rings of colours around a place that is another one in each image.
fn draw_all(session: &Session, folder: &Path) -> Outcome<()> {
    let mut graph = TaskGraph::new();
    for number in 0..IMAGES {
        let path = file_of(folder, number);
        let drawing = TaskOptions::cpu_bound("draw").memory(PIXELS);
        graph.add(drawing, (), move |(), _| Ok(std::fs::write(&path, encode(&draw(number))?)?));
    }
    session.run_tasks(graph)?.wait()?.into_complete()?;
    Ok(())
}

fn draw(number: usize) -> DynamicImage {
    let number = number as u32;
    let (left, top) = (number * 7 % LARGE.0, number * 13 % LARGE.1);
    RgbImage::from_fn(LARGE.0, LARGE.1, |x, y| {
        let ring = x.abs_diff(left).pow(2) + y.abs_diff(top).pow(2);
        image::Rgb([ring / 64, x + number, y].map(|colour| (colour % 256) as u8))
    })
    .into()
}

fn check(expected: &Path, found: &Path) -> Outcome<()> {
    for number in 0..IMAGES {
        if std::fs::read(file_of(expected, number))? != std::fs::read(file_of(found, number))? {
            return Err(format!("image {number} in {} is another one", found.display()).into());
        }
    }
    Ok(())
}

//! Writes generated meshes for measurements of the whole program: `cargo bench --bench meshes -- FOLDER`.
//!
//! Each becomes `<layout>-<objects>.yaml`, and a folder `<layout>-<objects>` in the layout of a recording.

#[path = "support/generate/mod.rs"]
mod generate;

use std::path::Path;

use generate::{Layout, Plan};

/// Which of the layouts, and how many objects.
const PLANS: [(usize, usize); 7] =
    [(0, 1_000), (0, 10_000), (0, 100_000), (1, 10_000), (1, 100_000), (2, 2_200), (3, 3_600)];

fn main() -> std::io::Result<()> {
    // Without a folder it is one of all benchmarks, and there is nothing to measure.
    let Some(folder) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) else { return Ok(()) };
    for (layout, objects) in PLANS {
        let (name, layout) = Layout::ALL[layout];
        let mesh = Plan { layout, objects, faulty_percent: 5, seed: 7 }.generate();
        let path = Path::new(&folder).join(format!("{name}-{objects}"));
        std::fs::create_dir_all(&path)?;
        std::fs::write(path.with_extension("yaml"), mesh.yaml())?;
        let faults = mesh.faults.iter().map(|fault| format!("{}\t{}\n", fault.code, fault.object));
        std::fs::write(path.with_extension("faults"), faults.collect::<String>())?;
        for (place, list) in mesh.lists() {
            let file = path.join("cluster/resources").join(format!("{place}.json"));
            std::fs::create_dir_all(file.parent().expect("it is below the folder"))?;
            std::fs::write(file, list.to_string())?;
        }
    }
    Ok(())
}

//! The files of one run in a folder: the same names wherever two programs, or one program twice, work on the same run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cipherloom_host::PlanFile;

use crate::data::{self, Readers};
use crate::error::{CliError, Result};
use crate::ui::Lines;

/// Between two looks at a folder: short beside a training step, long beside a look.
const PAUSE: Duration = Duration::from_millis(100);

/// Lets the other side work before the next look at a folder.
pub fn pause() {
    std::thread::sleep(PAUSE);
}

/// Waits until a file is there; says so, where it is not.
pub fn wait_for(path: &Path, lines: &Lines) {
    if path.exists() {
        return;
    }
    lines.say(&format!("waiting for {}", path.display()));
    while !path.exists() {
        pause();
    }
}

/// A folder with the files of a run.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at a path, made if it does not exist.
    pub fn make(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(CliError::io(path, "make"))?;
        Ok(Self(path.to_owned()))
    }

    /// The plan.
    pub fn plan(&self) -> PathBuf {
        self.0.join("graph.plan")
    }

    /// The key holder's secret key, where one machine does everything.
    pub fn secret(&self) -> PathBuf {
        self.0.join("secret.key")
    }

    /// The evaluation keys.
    pub fn keys(&self) -> PathBuf {
        self.0.join("evaluation.keys")
    }

    /// The encrypted inputs.
    pub fn inputs(&self) -> PathBuf {
        self.0.join("inputs.ct")
    }

    /// What an epoch (from 0) handed out, encrypted.
    pub fn epoch(&self, epoch: u32) -> PathBuf {
        self.0.join(format!("epoch-{:04}.ct", epoch + 1))
    }

    /// The key holder's answer to an epoch.
    pub fn answer(&self, epoch: u32) -> PathBuf {
        self.0.join(format!("epoch-{:04}.answer", epoch + 1))
    }

    /// The last checkpoint of the run.
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    /// The encrypted outputs of the whole run.
    pub fn outputs(&self) -> PathBuf {
        self.0.join("outputs.ct")
    }

    /// The decrypted outputs, where one machine does everything.
    pub fn weights(&self) -> PathBuf {
        self.0.join("weights.npz")
    }

    /// Writes the plan, unless it is there already; fails if another one is.
    pub fn put_plan(&self, plan: &PlanFile) -> Result<()> {
        let path = self.plan();
        if !path.exists() {
            return data::write_whole(&path, Readers::Everyone, |file| file.write_all(plan.bytes()));
        }
        if PlanFile::open(&path)?.bytes() == plan.bytes() {
            return Ok(());
        }
        Err(CliError::new(
            format!("{}: another plan than the one compiled now", path.display()),
            "resume with the graph, the options and the program that the run was begun with",
        ))
    }
}

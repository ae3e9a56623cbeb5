//! `cipherloom keygen`.

use std::path::{Path, PathBuf};

use cipherloom_compiler::report::bytes;
use cipherloom_host::{PlanFile, generate_seed, write_evaluation_keys, write_secret_key};
use clap::Args;

use crate::error::{CliError, Result};
use crate::ui::{Ui, say};

/// Make the keys of a plan: secret.key for the key holder, evaluation.keys for the server
#[derive(Debug, Args)]
#[command(after_help = "\
Keys are made for one plan and refused by every other. secret.key decrypts everything: it stays with the key \
holder, is readable by its owner only, and is never overwritten without --force, for what was encrypted under a \
lost key is lost. evaluation.keys lets the server compute, and reveals nothing.

Example:
  cipherloom keygen spam.plan --out-dir keys")]
pub struct Keygen {
    /// The plan
    plan: PathBuf,
    /// Folder for secret.key and evaluation.keys; made if it does not exist
    #[arg(long, value_name = "DIR")]
    out_dir: PathBuf,
    /// Replace an existing secret.key
    #[arg(long)]
    force: bool,
}

impl Keygen {
    pub fn run(self) -> Result<()> {
        let plan = PlanFile::open(&self.plan)?;
        std::fs::create_dir_all(&self.out_dir).map_err(CliError::io(&self.out_dir, "make"))?;
        let secret_path = self.out_dir.join("secret.key");
        let keys_path = self.out_dir.join("evaluation.keys");
        if !self.force {
            refuse_existing_key(
                &secret_path,
                "choose another folder, or replace it with --force: what was encrypted under it is lost then",
            )?;
        }
        let seed = generate_seed()?;
        write_evaluation_keys(&keys_path, &plan, &seed, &mut Ui::new(false).progress())?;
        // The old key goes last, and only when the new one is there to take its place.
        let staged = tempfile::tempdir_in(&self.out_dir).map_err(CliError::io(&self.out_dir, "write to"))?;
        let staged_path = staged.path().join("secret.key");
        write_secret_key(&staged_path, &plan, &seed)?;
        std::fs::rename(&staged_path, &secret_path).map_err(CliError::io(&secret_path, "write"))?;
        let size = std::fs::metadata(&keys_path)
            .map_err(CliError::io(&keys_path, "read"))?
            .len();
        say!("{}: keep it to yourself", secret_path.display());
        say!("{}: {}, for the server", keys_path.display(), bytes(size));
        Ok(())
    }
}

/// Fails if there is a secret key already.
pub fn refuse_existing_key(path: &Path, remedy: &str) -> Result<()> {
    if path.exists() {
        return Err(CliError::new(
            format!("{}: there is a secret key already", path.display()),
            remedy,
        ));
    }
    Ok(())
}

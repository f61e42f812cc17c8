//! `nashguard fetch`: a pre-trained model into the folder of models.

use crate::interrupt;
use crate::show::bytes;
use clap::Args;
use indicatif::ProgressBar;
use nashguard::Result;
use nashguard::hub::{Hub, Model, Progress};
use std::path::PathBuf;

#[derive(Args)]
pub struct Options {
    /// The model, for example HuggingFaceTB/SmolLM2-135M-Instruct.
    #[arg(value_name = "OWNER/NAME")]
    model: String,
    /// A branch, tag or commit.
    #[arg(long, value_name = "REVISION", default_value = "main")]
    revision: String,
    /// Only this file of it, for example a `.gguf`; may be repeated.
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<String>,
    /// The folder of models; the model's files come into its folder NAME.
    #[arg(long, value_name = "DIR", default_value = "models")]
    models: PathBuf,
}

pub fn run(options: &Options) -> Result<()> {
    let model = Model::new(&options.model, &options.revision)?;
    interrupt::advise("run the same command again, and the download goes on");
    let mut name = String::new();
    let mut bar = ProgressBar::hidden();
    let mut show = |Progress { file, done, size }: Progress| {
        if file != name {
            bar.finish();
            (name, bar) = (file.to_owned(), bytes(file, size));
        }
        bar.set_position(done);
    };
    let folder = Hub::from_env()?.fetch(&model, &options.files, &options.models, &mut show)?;
    bar.finish();
    tell!("the model is in {}", folder.display());
    Ok(())
}

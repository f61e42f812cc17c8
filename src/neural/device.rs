//! Where decoders compute.

use crate::Result;
use crate::report::environment;
use candle_core::{DType, Device};
use std::path::Path;

/// The first GPU, in bf16, where the build has the feature `cuda` and the machine a GPU; else the processor, in f32.
///
/// # Errors
/// [`Error::Tensor`](crate::Error::Tensor) when the GPU's driver refuses.
pub fn device() -> Result<(Device, DType)> {
    let device = Device::cuda_if_available(0)?;
    let dtype = if device.is_cpu() { DType::F32 } else { DType::BF16 };
    Ok((device, dtype))
}

/// The device in words, for the stamp of a run.
pub fn name(device: &Device) -> String {
    match device {
        Device::Cpu => environment().device,
        _ => gpu(Path::new("/proc/driver/nvidia/gpus")).unwrap_or_else(|| "GPU".into()),
    }
}

/// The model of the first GPU that the driver lists.
fn gpu(folder: &Path) -> Option<String> {
    let mut folders: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().map(|e| e.path()).collect();
    folders.sort();
    let about = std::fs::read_to_string(folders.first()?.join("information")).ok()?;
    let model = about.lines().find_map(|line| line.strip_prefix("Model:"))?;
    Some(format!("GPU {}", model.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named() {
        assert!(name(&Device::Cpu).starts_with("CPU "));
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(gpu(dir.path()), None);
        let first = dir.path().join("0000:18:00.0");
        std::fs::create_dir(&first).unwrap();
        let about = "Model: \t\t NVIDIA H200\nIRQ:   \t\t 18\n";
        crate::report::write_atomically(first.join("information"), about.as_bytes()).unwrap();
        assert_eq!(gpu(dir.path()).as_deref(), Some("GPU NVIDIA H200"));
    }

    #[test]
    fn the_processor_computes_in_32_bits() {
        let (device, dtype) = device().unwrap();
        assert_eq!(device.is_cpu(), dtype == DType::F32);
    }
}

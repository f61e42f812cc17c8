//! Where decoders compute.

use crate::report::environment;
use crate::{Error, Result};
use candle_core::{DType, Device};
use std::path::Path;
use std::sync::OnceLock;

/// The first GPU, in bf16, where the build has the feature `cuda` and the machine a GPU; else the processor, in f32.
///
/// # Errors
/// [`Error::Invalid`] when there is a GPU that cannot be used.
pub fn device() -> Result<(Device, DType)> {
    // Tensors of two handles of one GPU do not go together.
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let device = match DEVICE.get() {
        Some(device) => device,
        None => {
            let found = found(Device::cuda_if_available(0))?;
            DEVICE.get_or_init(|| found)
        }
    };
    let dtype = if device.is_cpu() { DType::F32 } else { DType::BF16 };
    Ok((device.clone(), dtype))
}

/// The processor where the driver sees no GPU.
fn found(asked: candle_core::Result<Device>) -> Result<Device> {
    match asked {
        Ok(device) => Ok(device),
        Err(e) if e.to_string().contains("NO_DEVICE") => Ok(Device::Cpu),
        Err(e) => {
            let remedy = "look after its driver, or build without the feature cuda";
            Err(Error::invalid("GPU", format!("it cannot be used ({e})"), remedy))
        }
    }
}

/// The device in words, for the stamp of a run.
pub fn name(device: &Device) -> String {
    match device {
        Device::Cpu => environment().device,
        _ => gpu(Path::new("/proc/driver/nvidia/gpus")).unwrap_or_else(|| "GPU".into()),
    }
}

/// The model of the first GPU that the driver lists; machines with several kinds are rare.
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
    fn without_a_gpu_the_processor_computes_and_a_broken_one_is_named() {
        let error = |text: &str| Err(candle_core::Error::Msg(text.into()));
        assert!(found(error("DriverError(CUDA_ERROR_NO_DEVICE, \"none\")")).unwrap().is_cpu());
        let message = found(error("DriverError(CUDA_ERROR_UNKNOWN)")).unwrap_err().to_string();
        assert!(message.starts_with("GPU: it cannot be used (") && message.contains("cuda"));
    }

    #[test]
    fn the_processor_computes_in_32_bits() {
        let (device, dtype) = device().unwrap();
        assert_eq!(device.is_cpu(), dtype == DType::F32);
    }
}

"""What the figures were measured on."""

import os
import platform
import subprocess

import torch


def machine_facts(device):
    """dict: torch, CUDA, cuDNN, driver, GPU, its memory and capability, cores, how products of float32 are rounded."""
    facts = {
        "device": str(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": cores(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda,
    }
    if torch.device(device).type == "cuda":
        about = torch.cuda.get_device_properties(device)
        facts |= {
            "gpu": about.name,
            "capability": f"{about.major}.{about.minor}",
            "memory_gib": round(about.total_memory / 2**30, 1),
            "processors": about.multi_processor_count,
            "cudnn": torch.backends.cudnn.version(),
            "driver": driver_version(),
            "tf32_convolutions": torch.backends.cudnn.allow_tf32,
            "tf32_products": torch.backends.cuda.matmul.allow_tf32,
        }
    return facts


def driver_version():
    """The NVIDIA driver's version as nvidia-smi tells it, or None."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return told[0] if told else None


def cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def short(facts):
    """One line of them."""
    where = facts.get("gpu") or f"CPU, {facts['threads']} of {facts['cores']} cores"
    more = f", CUDA {facts['cuda']}, driver {facts['driver']}" if "gpu" in facts else ""
    return f"{where}; torch {facts['torch']}{more}; Python {facts['python']}"

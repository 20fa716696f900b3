"""Hypervisor drivers: `libvirt` for real guests, `sim` as its peer for scale and speed."""

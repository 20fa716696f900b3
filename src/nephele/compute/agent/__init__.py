"""nova-compute: what runs on a hypervisor host."""

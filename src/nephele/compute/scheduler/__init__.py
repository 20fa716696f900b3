"""nova-scheduler: filters say which hosts can take a server, weighers which of them should."""

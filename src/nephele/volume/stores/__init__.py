"""Where backups' objects are: one small protocol, kept by a directory and by any store that speaks S3."""

"""Cinder: volumes, snapshots, attachments."""

"""The storage that a cloud is told to use: volume backends, and where backups are kept."""

from pathlib import Path

from nephele.config import Settings, VolumeBackend
from nephele.volume.backends.file import FileBackend
from nephele.volume.backends.protocol import Backend
from nephele.volume.stores.file import FileStore
from nephele.volume.stores.protocol import BackupStore


def open_backends(settings: Settings) -> list[Backend]:
    """The volume backends, in the order in which the settings name them."""
    return [_open(settings, name, told) for name, told in settings.volumes.backends.items()]


def _open(settings: Settings, name: str, told: VolumeBackend) -> Backend:
    directory = told.directory or settings.state_dir / ("volumes" if name == "file" else f"volumes-{name}")
    if told.driver == "nbd":
        from nephele.volume.backends.nbd import NbdBackend

        return NbdBackend(directory, name, host=told.host, port=told.port, tls=told.tls)
    return FileBackend(directory, name)


def open_backups(settings: Settings) -> BackupStore:
    """Where backups are kept."""
    told = settings.volumes.backups
    if not told.url:
        return FileStore(told.directory or settings.state_dir / "backups")
    from nephele.volume.stores.s3 import Account, S3Store

    secret = Path(told.secret_key_file).read_text().strip() if told.secret_key_file else ""
    account = Account(
        url=told.url, bucket=told.bucket, access_key=told.access_key, secret_key=secret, region=told.region
    )
    return S3Store(account)
